/**
 * A server that does nothing: whatever is asked, it answers one fixed small message and success. Against it the generator
 * shows what it can do; run as `node responder.js PORT`.
 */
import { createServer, type Socket } from 'node:net';
import { bytesField, varintField } from '../etcd/protobuf.ts';
import { flag, frameHeaderBytes, frameType, writeFrameHeader, writeWindowUpdate } from '../http2/frames.ts';

/** An answer whose header names revision 1, in its gRPC frame. */
const message = bytesField(1, varintField(3, 1));
const payload = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
/** `:status: 200`, and `grpc-status: 0` as literals that no table remembers, so that the blocks are constant. */
const headerBlock = Buffer.from([0x88]);
const trailerBlock = Buffer.concat([Buffer.from([0x00, 11]), Buffer.from('grpc-status'), Buffer.from([1, 0x30])]);
const answerBytes = 3 * frameHeaderBytes + headerBlock.length + payload.length + trailerBlock.length;
const windowBytes = 1 << 20;

function writeAnswer(out: Buffer, at: number, stream: number): number {
  at = writeFrameHeader(out, at, headerBlock.length, frameType.headers, flag.endHeaders, stream);
  out.set(headerBlock, at);
  at = writeFrameHeader(out, at + headerBlock.length, payload.length, frameType.data, 0, stream);
  out.set(payload, at);
  at += payload.length;
  at = writeFrameHeader(out, at, trailerBlock.length, frameType.headers, flag.endHeaders | flag.endStream, stream);
  out.set(trailerBlock, at);
  return at + trailerBlock.length;
}

function serve(socket: Socket): void {
  let input: Buffer = Buffer.alloc(0);
  let prefaceBytes = 24;
  let received = 0;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.write(Buffer.concat([settings(), connectionWindow(windowBytes)]));
  socket.on('data', (chunk: Buffer) => {
    input = input.length > 0 ? Buffer.concat([input, chunk]) : chunk;
    const out = Buffer.allocUnsafe(answerBytes * (input.length / (frameHeaderBytes + 5)) + 64);
    let end = 0;
    let at = Math.min(prefaceBytes, input.length);
    prefaceBytes -= at;
    while (input.length - at >= frameHeaderBytes) {
      const payloadBytes = input.readUInt32BE(at) >>> 8;
      if (input.length - at < frameHeaderBytes + payloadBytes) break;
      if (input[at + 3] === frameType.data) {
        received += payloadBytes;
        if ((input[at + 4] as number) & flag.endStream) end = writeAnswer(out, end, input.readUInt32BE(at + 5));
      }
      at += frameHeaderBytes + payloadBytes;
    }
    input = input.subarray(at);
    if (received > windowBytes / 2) {
      end = writeWindowUpdate(out, end, 0, received);
      received = 0;
    }
    if (end > 0) socket.write(out.subarray(0, end));
  });
}

function settings(): Buffer {
  const frame = Buffer.alloc(frameHeaderBytes);
  writeFrameHeader(frame, 0, 0, frameType.settings, 0, 0);
  return frame;
}

function connectionWindow(bytes: number): Buffer {
  const frame = Buffer.alloc(frameHeaderBytes + 4);
  writeWindowUpdate(frame, 0, 0, bytes);
  return frame;
}

createServer(serve).listen(Number(process.argv[2]), '127.0.0.1');
