// One life of a hub that starts (or finds) the embedded server and then waits to be killed. Arguments: folder, port.
import { systemChance, systemClock } from "@capstan/proto";
import { EmbeddedNats } from "../embedded.ts";
import { natsServerBinary } from "./world.ts";

const [folder = "", port = "0"] = process.argv.slice(2);
const nats = await EmbeddedNats.start(
  {
    binary: natsServerBinary(),
    folder,
    host: "127.0.0.1",
    localHost: "127.0.0.1",
    port: Number(port),
    urls: [],
    tls: undefined,
    clock: systemClock,
    chance: systemChance,
    onFault: (fault) => console.error(fault.message),
  },
  new AbortController().signal,
);
process.stdout.write(`${JSON.stringify({ pid: nats.process?.pid, adopted: nats.process?.adopted })}\n`);
setInterval(() => undefined, 60_000);
