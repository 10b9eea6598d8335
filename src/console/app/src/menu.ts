// The pages: one line each. `page` is the name of its file in pages/, `needs` the permission code of what it loads, `one` that
// of the route by which the search finds what it shows by its id.
import type { Component } from "vue";
import type { Route } from "./api";

export interface Page {
  path: string;
  title: string;
  group: "Operations" | "Content" | "Access";
  needs?: Route;
  one?: Route;
  page: string;
}

export const PAGES: Page[] = [
  { path: "overview", title: "Overview", group: "Operations", needs: "GET:/api/v1/ops/overview", page: "Overview" },
  { path: "runs", title: "Runs", group: "Operations", needs: "GET:/api/v1/tasks/runs", one: "GET:/api/v1/tasks/runs/{taskId}", page: "Runs" },
  { path: "dead-letters", title: "Dead letters", group: "Operations", needs: "GET:/api/v1/tasks/dead-letters", page: "DeadLetters" },
  { path: "schedules", title: "Schedules", group: "Operations", needs: "GET:/api/v1/schedules", one: "GET:/api/v1/schedules/{scheduleId}", page: "Schedules" },
  { path: "tasks", title: "Tasks", group: "Operations", needs: "GET:/api/v1/tasks", page: "Tasks" },
  { path: "clients", title: "Connected clients", group: "Operations", needs: "GET:/api/v1/ops/clients", page: "Clients" },
  { path: "caught-emails", title: "Caught e-mails", group: "Operations", needs: "GET:/api/v1/ops/caught-emails", page: "CaughtEmails" },
  { path: "health", title: "Health", group: "Operations", page: "Health" },
  { path: "notices", title: "Notices", group: "Content", needs: "GET:/api/v1/notices", one: "GET:/api/v1/notices/{noticeId}", page: "Notices" },
  { path: "files", title: "Files", group: "Content", needs: "GET:/api/v1/files", one: "GET:/api/v1/files/{fileId}", page: "Files" },
  { path: "users", title: "Users", group: "Access", needs: "GET:/api/v1/users", one: "GET:/api/v1/users/{userId}", page: "Users" },
  { path: "invitations", title: "Invitations", group: "Access", needs: "GET:/api/v1/users/invitations", page: "Invitations" },
  { path: "roles", title: "Roles", group: "Access", needs: "GET:/api/v1/roles", one: "GET:/api/v1/roles/{roleId}", page: "Roles" },
  { path: "api-keys", title: "API keys", group: "Access", needs: "GET:/api/v1/api-keys", page: "ApiKeys" },
  { path: "audit-log", title: "Audit log", group: "Access", needs: "GET:/api/v1/audit-logs", page: "AuditLog" },
  { path: "account", title: "My account", group: "Access", page: "Account" },
];

const FILES = import.meta.glob<{ default: Component }>("./pages/*.vue", { eager: true });
export const ROUTES = PAGES.map(({ path, page }) => ({ path: `/${path}`, component: FILES[`./pages/${page}.vue`]!.default }));
