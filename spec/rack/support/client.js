"use strict";
// A client for specs: every exchange is told in full, as a value for JSON. Bytes are told as latin1.
const http2 = require("http2");
const crypto = require("crypto");
const { Readable } = require("stream");
const { setTimeout: sleep } = require("timers/promises");

const WHOLE = 64 * 1024;
const NAMES = Object.fromEntries(
  Object.entries(http2.constants).filter(([name]) => name.startsWith("NGHTTP2_") && !/FLAG|SETTINGS|HCAT|NV/.test(name))
    .filter(([, value]) => Number.isInteger(value) && value >= 0 && value <= 13)
    .map(([name, value]) => [value, name.replace("NGHTTP2_", "")]));

function connect(url, options = {}) {
  const session = http2.connect(url, { rejectUnauthorized: false, ...options });
  session.on("error", () => {}); // Told by its streams.
  return session;
}

// A request, begun; `outcome` resolves when the stream is closed.
function open(session, path, headers = {}, options = {}) {
  const stream = session.request({ ":path": path, ...headers }, options);
  const told = { status: null, headers: [], informational: [], trailers: null, ended_with_headers: false };
  const digest = crypto.createHash("sha256");
  const kept = [];
  let size = 0;
  stream.on("headers", (fields) => told.informational.push(plain(fields)));
  stream.on("response", (fields, flags, raw) => {
    told.status = fields[":status"];
    for (let at = 0; at < raw.length; at += 2) {
      if (!raw[at].startsWith(":")) told.headers.push([raw[at], raw[at + 1]]);
    }
    told.ended_with_headers = (flags & 1) !== 0;
  });
  stream.on("trailers", (fields) => { told.trailers = plain(fields); });
  stream.on("data", (chunk) => {
    digest.update(chunk);
    size += chunk.length;
    if (size <= WHOLE) kept.push(chunk);
  });
  stream.on("error", () => {}); // The reset code tells it.
  stream.told = told;
  stream.seen = () => Buffer.concat(kept).toString("latin1");
  stream.received = () => size;
  stream.outcome = new Promise((resolve) => {
    stream.on("close", () => {
      const body = size <= WHOLE ? stream.seen() : null;
      resolve({ ...told, body, size, sha256: digest.digest("hex"), reset: NAMES[stream.rstCode] });
    });
  });
  return stream;
}

function plain(fields) {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value]));
}

// One exchange, to its end.
function exchange(session, path, headers = {}, body = undefined) {
  const stream = open(session, path, headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(Buffer.from(body, "latin1"));
  return stream.outcome;
}

// Resolves when the server has taken note of all that was sent: it answers a PING.
function answered(session) {
  return new Promise((resolve, reject) => session.ping((error) => error ? reject(error) : resolve()));
}

// Resolves when the condition holds; a spec's own deadline ends the wait otherwise.
async function until(condition) {
  while (!condition()) await sleep(2);
}

// The same bytes on both sides, for any size: a counter, hashed block by block.
function* pattern(size, block = 65536) {
  const unit = Buffer.alloc(block);
  for (let at = 0; at < block; at++) unit[at] = (at * 31 + (at >> 8)) & 0xff;
  for (let left = size; left > 0; left -= block) yield left >= block ? unit : unit.subarray(0, left);
}

module.exports = {
  Readable, connect, open, exchange, answered, until, pattern, sleep, http2, crypto, ...require("../../websocket/support/client.js"),
};
