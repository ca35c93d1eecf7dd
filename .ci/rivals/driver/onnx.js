// A benchmark of onnxruntime-node with llama-bench's flags and jsonl fields, on a
// graph that this program's Go side converted from a GGUF file.
//
//   node onnx.js --modules DIR -m model.onnx [-p N] [-n N] [--batch SEQUENCES]
//        [-t T] [-r R] [--no-warmup] [--tokens FILE]
//
// The work is that of the other drivers: no sampling, logits of the last prompt
// token or of every generated one. The cache goes out of a step and into the next
// as tensors, which is what this interface has.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

function parse(argv) {
  const o = { prompt: 0, gen: 0, sequences: 1, threads: 1, repeats: 5, warmup: true };
  const numbers = { '-p': 'prompt', '-n': 'gen', '--batch': 'sequences', '-t': 'threads', '-r': 'repeats' };
  const texts = { '--modules': 'modules', '-m': 'model', '--tokens': 'tokens', '-o': 'output' };
  for (let i = 0; i < argv.length; i++) {
    const flag = argv[i];
    if (flag === '--no-warmup') o.warmup = false;
    else if (flag in numbers) o[numbers[flag]] = Number.parseInt(argv[++i], 10);
    else if (flag in texts) o[texts[flag]] = argv[++i];
    else throw new Error(`unknown flag ${flag}`);
  }
  if (!o.modules || !o.model) throw new Error('--modules DIR and -m FILE are needed');
  return o;
}

// Cached runs a graph step by step and keeps the cache.
class Cached {
  constructor(ort, session, sequences) {
    Object.assign(this, { ort, session, sequences });
    this.clear();
  }

  clear() {
    this.length = 0;
    this.cache = {};
    for (const meta of this.session.inputMetadata) {
      if (!meta.name.startsWith('past_')) continue;
      const [, heads, , size] = meta.shape;
      this.cache[meta.name] = new this.ort.Tensor('float32', new Float32Array(0), [this.sequences, heads, 0, size]);
    }
  }

  // step reads as many new tokens of each sequence and returns the logits at
  // the given places among them.
  async step(tokens, rows) {
    const { Tensor } = this.ort;
    const count = tokens.length / this.sequences;
    this.length += count;
    const out = await this.session.run({
      ...this.cache,
      input_ids: new Tensor('int64', tokens, [this.sequences, count]),
      rows: new Tensor('int64', rows, [rows.length]),
      seqlens_k: new Tensor('int32', new Int32Array(this.sequences).fill(this.length - 1), [this.sequences]),
      total: new Tensor('int32', Int32Array.of(this.length), []),
    });
    for (const name in out) {
      if (name.startsWith('present_')) this.cache[name.replace('present_', 'past_')] = out[name];
    }
    return out.logits;
  }
}

function randomTokens(count, vocab) {
  return BigInt64Array.from({ length: count }, () => BigInt(Math.floor(Math.random() * vocab)));
}

async function work(cached, o, vocab, gen) {
  cached.clear();
  if (o.prompt) await cached.step(randomTokens(o.prompt, vocab), BigInt64Array.of(BigInt(o.prompt - 1)));
  for (let i = 0; i < gen; i++) await cached.step(randomTokens(o.sequences, vocab), BigInt64Array.of(0n));
}

// perplexity of every token after the first, in pieces that bound the logits.
async function perplexity(cached, tokens, vocab) {
  const piece = 256;
  let total = 0;
  for (let done = 0; done < tokens.length; done += piece) {
    const part = tokens.slice(done, done + piece);
    const logits = await cached.step(part, BigInt64Array.from(part, (_, i) => BigInt(i)));
    for (let i = 0; i < part.length && done + i + 1 < tokens.length; i++) {
      const row = logits.data.subarray(i * vocab, (i + 1) * vocab);
      const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
      total += top + Math.log(row.reduce((sum, v) => sum + Math.exp(v - top), 0)) - row[Number(tokens[done + i + 1])];
    }
  }
  const nll = total / (tokens.length - 1);
  return { n_tokens: tokens.length, nll, perplexity: Math.exp(nll) };
}

async function main() {
  const o = parse(process.argv.slice(2));
  const home = path.join(o.modules, 'onnxruntime-node');
  const ort = require(home);
  const session = await ort.InferenceSession.create(o.model, {
    executionProviders: ['cpu'], intraOpNumThreads: o.threads, interOpNumThreads: 1,
    executionMode: 'sequential', graphOptimizationLevel: 'all',
  });
  const vocab = session.outputMetadata.find((m) => m.name === 'logits').shape[2];
  if (o.tokens) {
    const tokens = BigInt64Array.from(fs.readFileSync(o.tokens, 'utf8').trim().split(/\s+/), BigInt);
    console.log(JSON.stringify(await perplexity(new Cached(ort, session, 1), tokens, vocab)));
    return;
  }
  const cached = new Cached(ort, session, o.gen ? o.sequences : 1);
  if (o.warmup) await work(cached, o, vocab, Math.min(o.gen, 4));
  const ns = [];
  for (let i = 0; i < o.repeats; i++) {
    const start = process.hrtime.bigint();
    await work(cached, o, vocab, o.gen);
    ns.push(Number(process.hrtime.bigint() - start));
  }
  const tokens = o.prompt + o.gen * o.sequences;
  console.log(JSON.stringify({
    build_version: require(path.join(home, 'package.json')).version, model_filename: o.model, n_threads: o.threads,
    n_prompt: o.prompt, n_gen: o.gen, n_depth: 0, n_parallel: o.gen ? o.sequences : 1,
    samples_ns: ns, samples_ts: ns.map((v) => (tokens * 1e9) / v),
  }));
}

main().catch((err) => {
  console.error(`onnx driver: ${err.message}`);
  process.exitCode = 1;
});
