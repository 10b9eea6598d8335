import { type FormEvent, type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { ApiError, browserStore, type components, connect, Session, unwrap } from "api-client";
import "./style.css";

type Notice = components["schemas"]["NoticeResponse"];

const session = new Session("http://localhost:16000", browserStore());

// Whether the user is logged in; changes with this tab and with the others.
function useLogin(): boolean {
  return useSyncExternalStore((changed) => session.onTokens(changed), () => session.tokens !== undefined);
}

// The newest notices. The socket misses what is published before it connects: load that then, also after interruptions.
function useNotices(): Notice[] {
  const [notices, setNotices] = useState<Notice[]>([]);
  useEffect(() => {
    const socket = connect(session);
    socket.on("connect", async () => setNotices(unwrap(await session.api.GET("/api/v1/notices"))));
    socket.on("notice.published", (notice) => setNotices((shown) => [notice, ...shown.filter(({ id }) => id !== notice.id)]));
    return () => void socket.disconnect();
  }, []);
  return notices;
}

// Sends its fields; shows an error's messages, those of invalid fields one by one.
function Form({ send, children }: { send: (fields: Record<string, string>) => Promise<void>; children: ReactNode }) {
  const [problem, setProblem] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    setProblem("");
    try {
      await send(Object.fromEntries(new FormData(form)) as Record<string, string>);
      form.reset();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const fields = Object.entries(error.fields).map(([field, message]) => `${field}: ${message}`);
      setProblem(fields.join(" · ") || error.message);
    }
  };
  return (
    <form onSubmit={submit}>
      {children}
      <p role="alert">{problem}</p>
    </form>
  );
}

function Login() {
  return (
    <Form send={({ username = "", password = "" }) => session.login(username, password)}>
      <h1>Log in</h1>
      <input name="username" placeholder="Username" aria-label="Username" autoComplete="username" required />
      <input name="password" placeholder="Password" aria-label="Password" type="password" autoComplete="current-password" required />
      <button>Log in</button>
    </Form>
  );
}

function Notices() {
  const notices = useNotices();
  const publish = async ({ title = "", body = "" }) => {
    unwrap(await session.api.POST("/api/v1/notices", { body: { title, body, expiresAt: "2100-01-01T00:00:00Z" } }));
  };
  return (
    <main>
      <header>
        <h1>Notices</h1>
        <button onClick={() => session.logout()}>Log out</button>
      </header>
      <Form send={publish}>
        <input name="title" placeholder="Title" aria-label="Title" />
        <input name="body" placeholder="Text" aria-label="Text" />
        <button>Publish</button>
      </Form>
      <ul>
        {notices.map(({ id, title, body }) => (
          <li key={id}>
            <strong>{title}</strong>
            <p>{body}</p>
          </li>
        ))}
      </ul>
    </main>
  );
}

function App() {
  return useLogin() ? <Notices /> : <Login />;
}

createRoot(document.getElementById("root")!).render(<App />);
