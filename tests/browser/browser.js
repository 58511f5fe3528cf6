// Finds a Chromium and starts it.

import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { chromium } from "playwright-core";

const NODE_MODULES = join(dirname(fileURLToPath(import.meta.url)), "node_modules");
const INSTALLED = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
const SWITCHES = [
  "--no-sandbox", // containers and root have none; it opens our own pages only
  "--no-proxy-server",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
  "--font-render-hinting=none",
];

/** No Chromium is there; the message says what to do. */
export class NoBrowser extends Error {}

/** Starts the Chromium that was found; it reaches loopback only. */
export async function launch() {
  const { path, env } = find();
  return chromium.launch({ executablePath: path, args: SWITCHES, env: { ...process.env, ...env } });
}

function find() {
  const named = process.env.FRESHET_BROWSER;
  if (named) {
    if (!runs(named)) throw new NoBrowser(`FRESHET_BROWSER names ${named}, which is no program.`);
    return { path: named };
  }
  const folders = (process.env.PATH ?? "").split(delimiter);
  const installed = folders.flatMap((folder) => INSTALLED.map((name) => join(folder, name)));
  const path = [...installed, MAC].find(runs);
  if (path) return { path };
  if (process.platform === "linux" && process.arch === "x64") return unpacked();
  throw new NoBrowser(
    "No Chromium was found: install Chromium or Chrome, or name one in FRESHET_BROWSER.",
  );
}

function runs(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

// The package holds the program, its libraries and a font as archives. Its own code unpacks them into
// the folder of temporary files, where anyone may put a program under that name.
function unpacked() {
  const folder = join(realpathSync(NODE_MODULES), ".chromium");
  if (!existsSync(folder)) unpack(folder);
  return {
    path: join(folder, "chromium"),
    env: { LD_LIBRARY_PATH: join(folder, "lib"), FONTCONFIG_PATH: folder },
  };
}

function unpack(folder) {
  const archive = (name) =>
    brotliDecompressSync(readFileSync(join(NODE_MODULES, "@sparticuz/chromium/bin", name)));
  const made = mkdtempSync(`${folder}-`);
  for (const name of ["al2023.tar.br", "fonts.tar.br"]) {
    const done = spawnSync("tar", ["-x", "--no-same-owner", "-C", made], { input: archive(name) });
    if (done.status !== 0)
      throw new NoBrowser(`tar cannot unpack ${name}: ${done.error ?? done.stderr}`);
  }
  writeFileSync(
    join(made, "fonts.conf"),
    `<fontconfig><dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir></fontconfig>`,
  );
  writeFileSync(join(made, "chromium"), archive("chromium.br"), { mode: 0o755 });
  try {
    renameSync(made, folder);
  } catch (error) {
    // Another process was faster.
    rmSync(made, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
}
