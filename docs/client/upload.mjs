// Upload a file in parts, straight to the storage. Browsers run this, too: give it a File, or a Blob with a name.
const AT_ONCE = 3;
const TRIES = 3;

export async function upload(session, file, { name = file.name, onProgress = () => {} } = {}) {
  const type = file.type || "application/octet-stream";
  const plan = await session.call("/files", post({ filename: name, contentType: type, sizeBytes: file.size }));
  const waiting = [...plan.parts];
  const parts = [];

  async function send() {
    for (let part = waiting.shift(); part; part = waiting.shift()) {
      const start = (part.partNumber - 1) * plan.partSizeBytes;
      const etag = await put(part, file.slice(start, start + plan.partSizeBytes));
      parts.push({ partNumber: part.partNumber, etag });
      onProgress(parts.length / plan.parts.length);
    }
  }

  try {
    await Promise.all(Array.from({ length: AT_ONCE }, send));
    return await complete(session, plan.id, parts);
  } catch (error) {
    waiting.length = 0;
    await session.call(`/files/${plan.id}`, { method: "DELETE" }).catch(() => {}); // else it is swept when its time is over
    throw error;
  }
}

// Completing twice is harmless, so an answer that got lost, or a storage that is away for a moment, is tried again.
async function complete(session, id, parts) {
  for (let tried = 1; ; tried++) {
    try {
      return await session.call(`/files/${id}/complete`, post({ parts }));
    } catch (error) {
      const passing = error.status === undefined || error.status === 503 || error.error === "file.being_completed";
      if (!passing || tried === TRIES) throw error;
      await pause(tried);
    }
  }
}

async function put({ url, headers }, bytes) {
  for (let tried = 1; ; tried++) {
    try {
      const answer = await fetch(url, { method: "PUT", headers, body: bytes });
      if (answer.ok) return answer.headers.get("ETag");
      throw new Error(`The storage answers ${answer.status}.`);
    } catch (error) {
      if (tried === TRIES) throw error;
      await pause(tried);
    }
  }
}

const post = (body) => ({ method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
