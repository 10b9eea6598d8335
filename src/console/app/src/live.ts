// One socket for all pages. A page says what it listens to; the socket watches the runs while a page listens to them.
import { connect, type ApiSocket, type ServerToClientEvents } from "api-client";
import { onMounted, onUnmounted, reactive, watch } from "vue";
import { can, me, session } from "./api";

export type Handlers = Partial<ServerToClientEvents>;

/** `on`: events arrive. `since`: changes with each new connection, which may have missed events. */
export const live = reactive({ on: false, since: 0 });

let socket: ApiSocket | undefined;
let watching = false;
const listening = new Set<Handlers>();
const WATCHED = ["run.changed", "schedule.changed", "schedule.deleted", "ops.overview"] as const;

// A browser keeps pages that were left for its back button, and would keep their connections.
addEventListener("pagehide", () => socket?.disconnect());
addEventListener("pageshow", (event) => event.persisted && socket?.connect());
watch(() => Boolean(me.user), (known) => (known ? start() : stop()), { immediate: true });

function start(): void {
  socket = connect(session);
  socket.on("connect", () => {
    live.on = true;
    live.since = Date.now();
    watchRuns();
  });
  socket.on("disconnect", () => (live.on = false));
  socket.onAny((event: keyof ServerToClientEvents, data: unknown) => {
    for (const handlers of listening) (handlers[event] as ((data: unknown) => void) | undefined)?.(data);
  });
}

function stop(): void {
  socket?.disconnect();
  socket = undefined;
  live.on = false;
}

function watchRuns(): void {
  const wanted = [...listening].some((handlers) => WATCHED.some((event) => event in handlers));
  if (!socket?.connected || !can("SOCKET:runs.watch") || (!wanted && !watching)) return;
  watching = wanted;
  socket.emit("runs.watch", wanted);
}

/** Calls the handlers while the component is shown, and `again` when events may have been missed. */
export function useLive(handlers: Handlers, again?: () => void): void {
  onMounted(() => {
    listening.add(handlers);
    watchRuns();
  });
  onUnmounted(() => {
    listening.delete(handlers);
    watchRuns();
  });
  if (again) watch(() => live.since, again);
}
