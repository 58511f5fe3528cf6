// Evaluates JSONata as Step Functions does: a line of JSON in, a line of JSON out.
"use strict";

const { createHash, randomUUID } = require("node:crypto");
const { createInterface } = require("node:readline");
const jsonata = require("jsonata");

const unit = (seed) =>
  createHash("sha256").update(String(seed)).digest().readUInt32BE() / 2 ** 32;

// What Step Functions adds to the language, by its guide "Transforming data with JSONata".
const FUNCTIONS = {
  hash: (text, algorithm) =>
    createHash(algorithm.replace("-", "")).update(text).digest("hex"),
  parse: (text) => JSON.parse(text),
  partition: (items, size) =>
    Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
      items.slice(index * size, (index + 1) * size),
    ),
  random: (seed) => (seed === undefined ? Math.random() : unit(seed)),
  range: (first, last, step) =>
    Array.from(
      { length: Math.max(0, Math.floor((last - first) / step) + 1) },
      (_, index) => first + index * step,
    ),
  uuid: () => randomUUID(),
};

async function evaluated(text) {
  const expression = jsonata(text);
  for (const [name, implementation] of Object.entries(FUNCTIONS)) {
    expression.registerFunction(name, implementation);
  }
  expression.assign("eval", undefined); // $parse is there in its place
  const value = await expression.evaluate(undefined);
  if (value?._jsonata_function || value?._jsonata_lambda) {
    throw new Error("a function is not a result");
  }
  return value;
}

async function answer(line) {
  try {
    return JSON.stringify({ value: await evaluated(JSON.parse(line)) });
  } catch (error) {
    return JSON.stringify({ error: error.message ?? String(error) });
  }
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${await answer(line)}\n`);
  }
}

main();
