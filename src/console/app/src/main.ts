import { createApp } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import App from "./App.vue";
import { installElement } from "./element";
import { PAGES } from "./menu";
import "./theme";
import "./style.css";

const NONE = { path: "/:rest(.*)*", component: { render: () => null } }; // App.vue leads on from there
const routes = PAGES.map(({ path, page }) => ({ path: `/${path}`, component: page }));
const router = createRouter({
  history: createWebHistory("/console/"),
  routes: [...routes, NONE],
});

const app = createApp(App);
installElement(app);
app.use(router).mount("#app");
