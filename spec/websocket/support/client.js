"use strict";
// WebSockets (RFC 6455) in streams of HTTP/2 (RFC 8441).
const crypto = require("crypto");

const OPCODES = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const KINDS = Object.fromEntries(Object.entries(OPCODES).map(([kind, opcode]) => [opcode, kind]));

// A frame as a client sends it.
function encode(kind, payload) {
  const size = payload.length;
  const [code, bytes] = size < 126 ? [size, 0] : size < 65536 ? [126, 2] : [127, 8];
  const header = Buffer.alloc(2 + bytes);
  header[0] = 0x80 | OPCODES[kind];
  header[1] = 0x80 | code;
  if (bytes === 2) header.writeUInt16BE(size, 2);
  if (bytes === 8) header.writeBigUInt64BE(BigInt(size), 2);
  const mask = crypto.randomBytes(4);
  const masked = Buffer.from(payload);
  for (let at = 0; at < size; at++) masked[at] ^= mask[at & 3];
  return Buffer.concat([header, mask, masked]);
}

// The first whole frame of a server's, and how many bytes it has; null before it is there.
function decode(bytes) {
  if (bytes.length < 2) return null;
  const code = bytes[1];
  const start = code < 126 ? 2 : code === 126 ? 4 : 10;
  if (bytes.length < start) return null;
  const size = code < 126 ? code : code === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + size) return null;
  return { kind: KINDS[bytes[0] & 15], payload: bytes.subarray(start, start + size), length: start + size };
}

// Opens a WebSocket; resolves when it is answered. `next` resolves to the next frame, or null at the end.
async function websocket(session, path, headers = {}) {
  const stream = session.request({
    ":method": "CONNECT", ":protocol": "websocket", ":scheme": "https", ":path": path,
    "sec-websocket-version": "13", origin: "https://example.test", ...headers,
  });
  let received = Buffer.alloc(0);
  let ended = false;
  let wake = () => {};
  stream.on("data", (chunk) => { received = Buffer.concat([received, chunk]); wake(); });
  stream.on("end", () => { ended = true; wake(); });
  stream.on("close", () => { ended = true; wake(); });
  stream.on("error", () => {}); // The end tells it.
  const head = await new Promise((resolve) => {
    stream.on("response", (fields) => resolve({ ...fields }));
    stream.on("close", () => resolve(null));
  });
  async function next() {
    for (;;) {
      const frame = decode(received);
      if (frame) {
        received = received.subarray(frame.length);
        return { kind: frame.kind, text: frame.payload.toString("latin1") };
      }
      if (ended) return null;
      await new Promise((resolve) => { wake = resolve; });
    }
  }
  const send = (text, kind = "text") => stream.write(encode(kind, Buffer.from(text, "latin1")));
  return { stream, head, next, send };
}

module.exports = { websocket };
