// What a script cannot do itself: `do WORDS` on standard output, one line of answer on standard input.
import readline from 'node:readline';

const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks the harness; throws when it could not. */
export async function please(words) {
  process.stdout.write(`do ${words}\n`);
  const { value: answer } = await answers.next();
  if (answer !== 'done') throw new Error(`${words}: ${answer ?? 'the harness is gone'}`);
}

/** Lets the script end. */
export const noMoreErrands = () => process.stdin.destroy();
