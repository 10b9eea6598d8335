import { ApiError, unwrap } from "./errors.ts";
import type { components } from "./generated/rest.ts";
import type { Session } from "./session.ts";

type Schemas = components["schemas"];

const CONCURRENCY = 3;
const ATTEMPTS = 3;

/** An upload that has begun, as JSON. It can be resumed until it expires. */
export interface UploadState {
  plan: Schemas["UploadResponse"];
  done: Schemas["UploadedPart"][];
}

export interface UploadOptions {
  name: string;
  contentType?: string;
  /** Called with the share of parts that are uploaded, from 0 to 1. */
  onProgress?: (share: number) => void;
  signal?: AbortSignal;
  /** `state` of an `UploadInterrupted`, to go on with the same content. */
  resume?: UploadState;
}

/** The upload was aborted or failed: go on with `resume: state`, or call `cancelUpload`. */
export class UploadInterrupted extends Error {
  readonly state: UploadState;

  constructor(state: UploadState, cause: unknown) {
    super("The upload was interrupted.", { cause });
    this.state = state;
  }
}

/** Uploads in parts, directly to the storage. */
export async function upload(session: Session, content: Blob, options: UploadOptions): Promise<Schemas["FileResponse"]> {
  const state = options.resume ?? (await begin(session, content, options));
  const uploaded = new Set(state.done.map((part) => part.partNumber));
  const pending = state.plan.parts.filter((part) => !uploaded.has(part.partNumber));

  async function send(): Promise<void> {
    for (let part = pending.shift(); part; part = pending.shift()) {
      const start = (part.partNumber - 1) * state.plan.partSizeBytes;
      const etag = await put(part, content.slice(start, start + state.plan.partSizeBytes), options.signal);
      state.done.push({ partNumber: part.partNumber, etag });
      options.onProgress?.(state.done.length / state.plan.parts.length);
    }
  }

  const results = await Promise.allSettled(Array.from({ length: CONCURRENCY }, send));
  try {
    for (const result of results) if (result.status === "rejected") throw result.reason;
    return await complete(session, state);
  } catch (error) {
    throw new UploadInterrupted(state, error);
  }
}

/** The state of an upload that a page began before it was reloaded, with new URLs. */
export async function reopenUpload(session: Session, fileId: string): Promise<UploadState> {
  const path = { fileId };
  const { upload: plan } = unwrap(await session.api.GET("/api/v1/files/{fileId}", { params: { path } }));
  if (!plan) throw new Error("The upload is completed.");
  return { plan, done: plan.sent };
}

/** Deletes what was uploaded. */
export async function cancelUpload(session: Session, { plan }: UploadState): Promise<void> {
  unwrap(await session.api.DELETE("/api/v1/files/{fileId}", { params: { path: { fileId: plan.id } } }));
}

async function begin(session: Session, content: Blob, { name, contentType }: UploadOptions): Promise<UploadState> {
  const type = contentType ?? (content.type || "application/octet-stream");
  const body = { filename: name, contentType: type, sizeBytes: content.size };
  return { plan: unwrap(await session.api.POST("/api/v1/files", { body })), done: [] };
}

/** Completing is idempotent: it is repeated if the response is lost, or the storage is not available. */
async function complete(session: Session, { plan, done }: UploadState): Promise<Schemas["FileResponse"]> {
  return repeat(async () => {
    const path = { fileId: plan.id };
    return unwrap(await session.api.POST("/api/v1/files/{fileId}/complete", { params: { path }, body: { parts: done } }));
  });
}

async function put(part: Schemas["PartResponse"], bytes: Blob, signal: AbortSignal | undefined): Promise<string> {
  const { url, headers } = part;
  return repeat(async () => {
    signal?.throwIfAborted();
    const response = await fetch(url, { method: "PUT", headers, body: bytes, ...(signal ? { signal } : {}) });
    if (!response.ok) throw new ApiError(response.status, { message: `The storage responded with ${response.status}.` });
    return response.headers.get("ETag") ?? "";
  });
}

async function repeat<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const aborted = error instanceof DOMException && error.name === "AbortError";
      const final = error instanceof ApiError && error.status < 500 && error.error !== "file.being_completed";
      if (aborted || final || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * 1000));
    }
  }
}
