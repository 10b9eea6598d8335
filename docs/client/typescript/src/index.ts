export { ApiError, unwrap } from "./errors.ts";
export { askPasskey, makePasskey } from "./passkeys.ts";
export type { Data, Route, RouteRequest } from "./routes.ts";
export { browserStore, memoryStore, type Proof, type ProofOptions, Session, type Tokens, type TokenStore } from "./session.ts";
export { connect, type ApiSocket } from "./socket.ts";
export { cancelUpload, reopenUpload, upload, UploadInterrupted, type UploadOptions, type UploadState } from "./upload.ts";
export type { ClientToServerEvents, ErrorBody, ServerToClientEvents } from "./generated/events.ts";
export type { components, operations, paths } from "./generated/rest.ts";
