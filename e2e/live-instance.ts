import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const command = process.env.CODEX_POOLER_COMMAND ?? join(root, '.venv/bin/codex-pooler');

const START_MS = 90_000;
const STOP_MS = 20_000;

export interface LiveInstance {
  origin: string;
  /** The control interface of the simulated backend. */
  control: string;
  stop: () => Promise<void>;
}

/** A fresh instance with a database of its own, in front of the simulated backend, all on loopback. */
export async function startInstance(): Promise<LiveInstance> {
  const folder = mkdtempSync(join(tmpdir(), 'codex-pooler-e2e-'));
  // Postgres refuses to run as root and must reach its files as somebody else.
  chmodSync(folder, 0o755);
  const [backendPort, port] = [await freePort(), await freePort()];
  const backend = `http://127.0.0.1:${backendPort}`;
  const origin = `http://127.0.0.1:${port}`;
  const processes = [
    start(['simulate', '--port', String(backendPort), '--accounts', '6'], {}),
    start(['serve'], {
      CODEX_POOLER_STATE_DIR: join(folder, 'state'),
      CODEX_POOLER_HTTP_PORT: String(port),
      CODEX_POOLER_PUBLIC_URL: origin,
      CODEX_POOLER_CHATGPT_URL: backend,
      CODEX_POOLER_AUTH_URL: backend,
      DATABASE_URL: '',
    }),
  ];
  const stop = async () => {
    await Promise.all(processes.map(end));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await answers(`${backend}/__control/state`);
    await answers(`${origin}/readyz`);
  } catch (error) {
    await stop();
    throw new Error(`${error}\n${processes.map(({ output }) => output()).join('\n')}`);
  }
  return { origin, control: `${backend}/__control`, stop };
}

interface Running {
  child: ChildProcess;
  output: () => string;
}

function start(args: string[], settings: Record<string, string>): Running {
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('CODEX_POOLER_'));
  const child = spawn(command, args, {
    env: { ...Object.fromEntries(environment), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      text = (text + chunk).slice(-4000);
    });
  return { child, output: () => text };
}

async function end({ child }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(late);
}

async function answers(url: string): Promise<void> {
  const until = Date.now() + START_MS;
  while (Date.now() < until) {
    const response = await fetch(url).catch(() => null);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${url} did not answer`);
}

/** A port nobody listens on at the moment. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
