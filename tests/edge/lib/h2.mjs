// HTTP/2 in frames written by hand (RFC 9113), so that a request may say what a grown-up client refuses to: two paths, a line break in a
// path, names in capitals. Headers go out as literals without indexing (RFC 7541 §6.2.2), which need no table.
import { connect } from './raw.mjs';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const [HEADERS, RST_STREAM, SETTINGS, GOAWAY] = [1, 3, 4, 7];
const [END_STREAM, END_HEADERS, ACK] = [1, 4, 1];
const ANSWER_MS = 5_000;

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function text(value) {
  const bytes = Buffer.from(value, 'latin1');
  // RFC 7541 §5.1: a length of seven bits, continued.
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const rest = [];
  let left = bytes.length - 127;
  for (; left >= 128; left = Math.floor(left / 128)) rest.push((left % 128) + 128);
  rest.push(left);
  return Buffer.concat([Buffer.from([127, ...rest]), bytes]);
}

/** Sends one request of these header pairs. What came: `status` (200 for an answer that says so), or `reset`, or `closed`. */
export async function ask(pairs) {
  const socket = await connect({ alpn: 'h2' });
  if (socket.alpnProtocol !== 'h2') throw new Error(`the edge speaks ${socket.alpnProtocol}`);
  const block = Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const finish = (outcome) => { clearTimeout(timer); socket.destroy(); resolve(outcome); };
    const timer = setTimeout(() => finish({ outcome: 'silence' }), ANSWER_MS);
    socket.on('error', () => finish({ outcome: 'closed' }));
    socket.on('close', () => finish({ outcome: 'closed' }));
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
        const [length, type, flags] = [bytes.readUIntBE(0, 3), bytes.readUInt8(3), bytes.readUInt8(4)];
        const payload = bytes.subarray(9, 9 + length);
        bytes = bytes.subarray(9 + length);
        if (type === SETTINGS && !(flags & ACK)) socket.write(frame(SETTINGS, ACK, 0));
        if (type === HEADERS) return finish({ outcome: 'answer', status: statusOf(payload) });
        if (type === RST_STREAM) return finish({ outcome: 'reset' });
        if (type === GOAWAY) return finish({ outcome: 'closed' });
      }
      return undefined;
    });
    socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(HEADERS, END_STREAM | END_HEADERS, 1, block)]));
  });
}

/** The status stands first: an entry of the static table, or its name from there and digits (plain, or in the Huffman code). */
function statusOf(block) {
  const first = block[0];
  const known = { 0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500 };
  if (known[first]) return known[first];
  const length = block[1] & 0x7f;
  const value = block.subarray(2, 2 + length);
  return Number(block[1] & 0x80 ? huffmanDigits(value) : value.toString('latin1'));
}

/** RFC 7541 Appendix B: `0`, `1`, `2` have five bits, `3` to `9` six. */
function huffmanDigits(bytes) {
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let digits = '';
  while (bits.length >= 5 && digits.length < 3) {
    const five = parseInt(bits.slice(0, 5), 2);
    if (five < 3) { digits += five; bits = bits.slice(5); } else { digits += parseInt(bits.slice(0, 6), 2) - 0x19 + 3; bits = bits.slice(6); }
  }
  return digits;
}
