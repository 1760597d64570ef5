import { fromBytes, toBytes } from "./bytes.ts";
import { escapePart } from "./escape.ts";
import { quoteGo } from "./quote.ts";
import { CallError } from "./value.ts";

/** The parts of a URL as Go's net/url names them. */
export interface UrlParts {
  readonly scheme: string;
  readonly opaque: string;
  readonly userinfo: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
}

function bad(url: string, why: string): never {
  throw new CallError(`unable to parse url: parse ${quoteGo(url)}: ${why}`);
}

function unescape(text: string, url: string): string {
  if (!text.includes("%")) return text;
  const wrong = /%(?![0-9a-fA-F]{2})/.exec(text);
  if (wrong !== null) bad(url, `invalid URL escape ${quoteGo(text.slice(wrong.index, wrong.index + 3))}`);
  const bytes: number[] = [];
  for (const piece of text.split(/(%[0-9a-fA-F]{2})/)) {
    if (piece.startsWith("%")) bytes.push(Number.parseInt(piece.slice(1), 16));
    else bytes.push(...toBytes(piece));
  }
  return fromBytes(Uint8Array.from(bytes));
}

/** Go's url.Parse, which cuts the fragment first and names the rest alone in its errors. Throws CallError. */
export function parseUrl(url: string): UrlParts {
  const hash = url.indexOf("#");
  if (hash < 0) return { ...parseBase(url), fragment: "" };
  return { ...parseBase(url.slice(0, hash)), fragment: unescape(url.slice(hash + 1), url) };
}

function parseBase(url: string): Omit<UrlParts, "fragment"> {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\x00-\x1f\x7f]/.test(url)) bad(url, "net/url: invalid control character in URL");
  let rest = url;
  if (rest === "*") return { scheme: "", opaque: "", userinfo: "", host: "", path: "*", query: "" };
  if (rest.startsWith(":")) bad(url, "missing protocol scheme");
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(rest)?.[1] ?? "";
  if (scheme !== "") rest = rest.slice(scheme.length + 1);
  const mark = rest.indexOf("?");
  const query = mark < 0 ? "" : rest.slice(mark + 1);
  if (mark >= 0) rest = rest.slice(0, mark);
  const known = { scheme: scheme.toLowerCase(), query };
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { ...known, opaque: rest, userinfo: "", host: "", path: "" };
    if (rest.split("/")[0]?.includes(":")) bad(url, "first path segment in URL cannot contain colon");
  }
  let authority = "";
  if (rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"))) {
    const slash = rest.indexOf("/", 2);
    authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
    rest = slash < 0 ? "" : rest.slice(slash);
  }
  return { ...known, opaque: "", ...parseAuthority(authority, url), path: unescape(rest, url) };
}

function parseAuthority(authority: string, url: string): { readonly userinfo: string; readonly host: string } {
  const at = authority.lastIndexOf("@");
  const host = parseHost(authority.slice(at + 1), url);
  if (at < 0) return { userinfo: "", host };
  const written = authority.slice(0, at);
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(written)) bad(url, "net/url: invalid userinfo");
  const colon = written.indexOf(":");
  const user = escapePart(unescape(colon < 0 ? written : written.slice(0, colon), url), "userinfo");
  if (colon < 0) return { userinfo: user, host };
  return { userinfo: `${user}:${escapePart(unescape(written.slice(colon + 1), url), "userinfo")}`, host };
}

function parseHost(host: string, url: string): string {
  const end = host.startsWith("[")
    ? host.lastIndexOf("]")
    : host.includes(":")
      ? host.lastIndexOf(":") - 1
      : host.length - 1;
  if (host.startsWith("[") && end < 0) bad(url, "missing ']' in host");
  const port = host.slice(end + 1);
  if (port !== "" && !/^:\d*$/.test(port)) bad(url, `invalid port ${quoteGo(port)} after host`);
  // In a host only bytes beyond ASCII may be written with a percent sign, and the sign itself.
  const escape = /%(?!25|[89a-fA-F][0-9a-fA-F]).{0,2}/.exec(host)?.[0];
  if (escape !== undefined) bad(url, `invalid URL escape ${quoteGo(escape)}`);
  const wrong = /[^A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"%\u0080-\uffff]/.exec(host)?.[0];
  if (wrong !== undefined) bad(url, `invalid character ${quoteGo(wrong)} in host name`);
  return unescape(host, url);
}

/** The host without its port and brackets. */
export function hostName(host: string): string {
  const name = host.replace(/:\d*$/, "");
  return name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
}

/** Go's URL.String. */
export function urlText(parts: UrlParts): string {
  let text = parts.scheme === "" ? "" : `${parts.scheme}:`;
  if (parts.opaque !== "") {
    text += parts.opaque;
  } else {
    const { host, path, userinfo } = parts;
    if ((parts.scheme !== "" || host !== "" || userinfo !== "") && (host !== "" || path !== "" || userinfo !== ""))
      text += "//";
    if (userinfo !== "") text += `${userinfo}@`;
    text += escapeHost(host);
    const escaped = escapePart(path, "path").replaceAll("[", "%5B").replaceAll("]", "%5D");
    if (escaped !== "" && !escaped.startsWith("/") && host !== "") text += "/";
    if (text === "" && escaped.split("/")[0]?.includes(":")) text += "./";
    text += path === "*" ? "*" : escaped;
  }
  if (parts.query !== "") text += `?${parts.query}`;
  return parts.fragment === ""
    ? text
    : `${text}#${escapePart(parts.fragment, "fragment").replace(/[[\]']/g, encodeURIComponentStrict)}`;
}

function encodeURIComponentStrict(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

function escapeHost(host: string): string {
  let text = "";
  for (const byte of toBytes(host)) {
    const character = String.fromCharCode(byte);
    text +=
      byte < 0x80 && /[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return text;
}
