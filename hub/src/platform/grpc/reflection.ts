import { type DescFile, type DescService, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "@capstan/proto/reflection";
import { ServerReflection as ServerReflectionAlpha } from "@capstan/proto/reflection-alpha";
import { type Served, serve } from "../../api/service.ts";

/** NOT_FOUND and UNIMPLEMENTED, as reflection answers inside its messages. */
const notFound = 5;
const unimplemented = 12;

/** Reflection, so that grpcurl lists and describes what is served; v1 and the older v1alpha, which tools still ask. */
export function reflectionServices(services: readonly DescService[]): Served[] {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  for (const service of [...services, ServerReflection, ServerReflectionAlpha]) collect(service.file, files, symbols);
  const names = [...services, ServerReflection].map(({ typeName }) => ({ name: typeName })).sort(byName);
  async function* answer(requests: AsyncIterable<Asked>): AsyncIterable<Response> {
    for await (const request of requests) yield respond(request.messageRequest);
  }
  const respond = (request: Asked["messageRequest"]): Response => {
    switch (request.case) {
      case "listServices":
        return { messageResponse: { case: "listServicesResponse", value: { service: names } } };
      case "fileByFilename":
        return withImports(files.get(request.value), request.value);
      case "fileContainingSymbol":
        return withImports(symbols.get(request.value), request.value);
      case "fileContainingExtension":
      case "allExtensionNumbersOfType":
      case undefined:
        return failed(unimplemented, "the schema has no extensions");
    }
  };
  return [
    serve(ServerReflection, { serverReflectionInfo: (requests) => answer(requests) }),
    serve(ServerReflectionAlpha, {
      serverReflectionInfo: (requests) => answer(requests as AsyncIterable<never>) as AsyncIterable<never>,
    }),
  ];
}

/** The two versions of the protocol have the same fields under two names. */
type Asked = Pick<ServerReflectionRequest, "messageRequest">;
type Response = MessageInitShape<typeof ServerReflectionResponseSchema>;

/** The file and all that it imports: a client must not have to ask for each. */
function withImports(file: DescFile | undefined, asked: string): Response {
  if (file === undefined) return failed(notFound, `${asked} is not served`);
  const all = new Map<string, DescFile>();
  const add = (each: DescFile) => {
    if (all.has(each.name)) return;
    all.set(each.name, each);
    for (const dependency of each.dependencies) add(dependency);
  };
  add(file);
  const fileDescriptorProto = [...all.values()].map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { messageResponse: { case: "fileDescriptorResponse", value: { fileDescriptorProto } } };
}

function failed(errorCode: number, errorMessage: string): Response {
  return { messageResponse: { case: "errorResponse", value: { errorCode, errorMessage } } };
}

function collect(file: DescFile, files: Map<string, DescFile>, symbols: Map<string, DescFile>): void {
  if (files.has(`${file.name}.proto`)) return;
  files.set(`${file.name}.proto`, file);
  for (const message of file.messages) {
    symbols.set(message.typeName, file);
    for (const nested of message.nestedMessages) symbols.set(nested.typeName, file);
    for (const nested of message.nestedEnums) symbols.set(nested.typeName, file);
  }
  for (const each of file.enums) symbols.set(each.typeName, file);
  for (const service of file.services) {
    symbols.set(service.typeName, file);
    for (const method of service.methods) symbols.set(`${service.typeName}.${method.name}`, file);
  }
  for (const dependency of file.dependencies) collect(dependency, files, symbols);
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
