// The pages: one line each. `needs` is the permission code of what the page loads.
import type { Component } from "vue";
import Account from "./pages/Account.vue";
import AuditLog from "./pages/AuditLog.vue";
import Clients from "./pages/Clients.vue";
import DeadLetters from "./pages/DeadLetters.vue";
import Files from "./pages/Files.vue";
import Health from "./pages/Health.vue";
import Notices from "./pages/Notices.vue";
import Overview from "./pages/Overview.vue";
import Roles from "./pages/Roles.vue";
import Runs from "./pages/Runs.vue";
import Schedules from "./pages/Schedules.vue";
import Tasks from "./pages/Tasks.vue";
import Users from "./pages/Users.vue";

export interface Page {
  path: string;
  title: string;
  group: "Operations" | "Content" | "Access";
  needs?: string;
  page: Component;
}

export const PAGES: Page[] = [
  { path: "overview", title: "Overview", group: "Operations", needs: "GET:/api/v1/ops/overview", page: Overview },
  { path: "runs", title: "Runs", group: "Operations", needs: "GET:/api/v1/tasks/runs", page: Runs },
  { path: "dead-letters", title: "Dead letters", group: "Operations", needs: "GET:/api/v1/tasks/dead-letters", page: DeadLetters },
  { path: "schedules", title: "Schedules", group: "Operations", needs: "GET:/api/v1/schedules", page: Schedules },
  { path: "tasks", title: "Tasks", group: "Operations", needs: "GET:/api/v1/tasks", page: Tasks },
  { path: "clients", title: "Connected clients", group: "Operations", needs: "GET:/api/v1/ops/clients", page: Clients },
  { path: "health", title: "Health", group: "Operations", page: Health },
  { path: "notices", title: "Notices", group: "Content", needs: "GET:/api/v1/notices", page: Notices },
  { path: "files", title: "Files", group: "Content", needs: "GET:/api/v1/files", page: Files },
  { path: "users", title: "Users", group: "Access", needs: "GET:/api/v1/users", page: Users },
  { path: "roles", title: "Roles", group: "Access", needs: "GET:/api/v1/roles", page: Roles },
  { path: "audit-log", title: "Audit log", group: "Access", needs: "GET:/api/v1/audit-logs", page: AuditLog },
  { path: "account", title: "My account", group: "Access", page: Account },
];
