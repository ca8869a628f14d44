// The program under test: a sandbox of its own in a temporary folder, on a free port, gone with the test.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { told } from './silence.mjs';

const PROGRAM = process.env.GONGJI_PROGRAM ?? fileURLToPath(new URL('../target/debug/gongji', import.meta.url));

/** A first start imports regions, persons and institutions; a debug build on a busy machine needs its time (ms). */
const START_MS_MAX = 120_000;

const POLL_MS = 50;

/** Ask the system for a port nobody uses. */
async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * Start `command` with `{origin}`, `{address}` and `{data}` filled in, wait until `/healthz` answers.
 * The default is the sandbox as anybody would start it.
 */
export async function startServer({ command = [PROGRAM, 'sandbox', '--data', '{data}', '--listen', '{address}'], env = {} } = {}) {
  const address = `127.0.0.1:${await freePort()}`;
  const origin = `http://${address}`;
  const folder = await mkdtemp(join(tmpdir(), 'gongji-e2e-'));
  const data = join(folder, 'data');
  const [program, ...args] = command.map((word) => word.replaceAll('{data}', data).replaceAll('{address}', address).replaceAll('{origin}', origin));
  const child = spawn(program, args, { cwd: folder, env: { GONGJI_LOG: 'debug', ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let logged = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  child.stderr.on('data', (text) => (logged += text));
  let ended;
  const end = new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve((ended = signal ?? code)));
    child.once('error', (error) => resolve((ended = error.message)));
  });

  const stop = async () => {
    if (ended === undefined) child.kill('SIGTERM');
    await end;
    await rm(folder, { recursive: true, force: true });
    const found = told(logged);
    if (found !== undefined) throw new Error(`the program's log tells of somebody: ${found}`);
    return ended;
  };

  const deadline = performance.now() + START_MS_MAX;
  while (!(await answers(`${origin}/healthz`))) {
    if (ended !== undefined || performance.now() > deadline) {
      const why = ended === undefined ? 'did not answer in time' : `ended with ${ended}`;
      await stop();
      throw new Error(`${program} ${why}; it said:\n${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return { origin, data, said: () => said, stop };
}

async function answers(url) {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}
