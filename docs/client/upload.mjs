// Upload a file in parts, directly to the storage. Runs in browsers, too: pass a File, or a Blob and a name.
const CONCURRENCY = 3;
const ATTEMPTS = 3;

export async function upload(session, file, { name = file.name, onProgress = () => {} } = {}) {
  const type = file.type || "application/octet-stream";
  const plan = await session.call("/files", post({ filename: name, contentType: type, sizeBytes: file.size }));
  const pending = [...plan.parts];
  const parts = [];

  async function send() {
    for (let part = pending.shift(); part; part = pending.shift()) {
      const start = (part.partNumber - 1) * plan.partSizeBytes;
      const etag = await put(part, file.slice(start, start + plan.partSizeBytes));
      parts.push({ partNumber: part.partNumber, etag });
      onProgress(parts.length / plan.parts.length);
    }
  }

  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, send));
    return await complete(session, plan.id, parts);
  } catch (error) {
    pending.length = 0;
    await session.call(`/files/${plan.id}`, { method: "DELETE" }).catch(() => {}); // if this fails, it expires
    throw error;
  }
}

// Completing is idempotent, so retry if the response was lost or the storage is temporarily unavailable.
async function complete(session, id, parts) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await session.call(`/files/${id}/complete`, post({ parts }));
    } catch (error) {
      const transient = error.status === undefined || error.status === 503 || error.error === "file.being_completed";
      if (!transient || attempt === ATTEMPTS) throw error;
      await pause(attempt);
    }
  }
}

async function put({ url, headers }, bytes) {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await fetch(url, { method: "PUT", headers, body: bytes });
      if (response.ok) return response.headers.get("ETag");
      throw new Error(`The storage responded with ${response.status}.`);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await pause(attempt);
    }
  }
}

const post = (body) => ({ method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
