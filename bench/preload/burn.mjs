import { Server } from 'node:http';
import { performance } from 'node:perf_hooks';
import process from 'node:process';

// Loaded into a gateway (`--import`) to show that the benchmark sees what a call costs: burns processor time on each request.
const burnMs = Number(process.env.BENCH_BURN_US) / 1_000;
const { emit } = Server.prototype;

Server.prototype.emit = function emitAfterBurning(event, ...rest) {
  if (event === 'request') {
    const until = performance.now() + burnMs;
    while (performance.now() < until);
  }
  return emit.call(this, event, ...rest);
};
