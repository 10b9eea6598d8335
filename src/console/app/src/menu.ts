// The pages: one line each. `needs` is the permission code of what the page loads.
import type { Component } from "vue";
import Account from "./pages/Account.vue";
import Runs from "./pages/Runs.vue";
import Users from "./pages/Users.vue";

export interface Page {
  path: string;
  title: string;
  group: "Operations" | "Content" | "Access";
  needs?: string;
  page: Component;
}

export const PAGES: Page[] = [
  { path: "runs", title: "Runs", group: "Operations", needs: "GET:/api/v1/tasks/runs", page: Runs },
  { path: "users", title: "Users", group: "Access", needs: "GET:/api/v1/users", page: Users },
  { path: "account", title: "My account", group: "Access", page: Account },
];
