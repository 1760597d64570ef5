import { BlockList, isIP } from "node:net";

const inner = new BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const) {
  inner.addSubnet(network, bits, "ipv4");
}
for (const [network, bits] of [
  ["::", 127],
  ["64:ff9b:1::", 48],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const) {
  inner.addSubnet(network, bits, "ipv6");
}

/** Whether an address is none of the public internet's: private, loopback, link-local, or no address at all. */
export function isInnerAddress(address: string): boolean {
  // An IPv4 address in IPv6's clothes is checked as what it is; Node does so by itself for `::ffff:`.
  const family = isIP(address);
  return family === 0 || inner.check(address, family === 6 ? "ipv6" : "ipv4");
}
