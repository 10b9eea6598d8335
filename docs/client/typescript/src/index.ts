export { ApiError, unwrap } from "./errors.js";
export { browserStore, memoryStore, Session, type Tokens, type TokenStore } from "./session.js";
export { connect, type ApiSocket } from "./socket.js";
export { cancelUpload, upload, UploadInterrupted, type UploadOptions, type UploadState } from "./upload.js";
export type { ClientToServerEvents, ErrorBody, ServerToClientEvents } from "./generated/events.js";
export type { components, operations, paths } from "./generated/rest.js";
