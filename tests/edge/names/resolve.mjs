// Loaded before every Node program of the suite: names under portico.test are this machine, as a line in a hosts file would say.
import dns from 'node:dns';

const asked = dns.lookup;
dns.lookup = (name, options, answer) => {
  const [settings, callback] = typeof options === 'function' ? [{}, options] : [options, answer];
  if (!/(^|\.)portico\.test\.?$/i.test(name)) return asked(name, settings, callback);
  const found = settings?.all ? [[{ address: '127.0.0.1', family: 4 }]] : ['127.0.0.1', 4];
  return process.nextTick(() => callback(null, ...found));
};
