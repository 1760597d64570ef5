import { create } from "@bufbuild/protobuf";
import { features, protocol } from "@capstan/proto";
import { VersionsSchema } from "@capstan/proto/agent";
import { version } from "./model.ts";

/** What this agent says that it speaks. */
export const versions = create(VersionsSchema, {
  program: version,
  protocol: protocol.current,
  protocolMin: protocol.oldest,
  features: [...features],
});
