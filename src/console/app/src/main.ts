import { createApp } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import App from "./App.vue";
import { installElement } from "./element";
import { PAGES } from "./menu";
import Start from "./pages/Start.vue";
import "./theme";
import "./style.css";

const routes = PAGES.map(({ path, page }) => ({ path: `/${path}`, component: page }));
const router = createRouter({
  history: createWebHistory("/console/"),
  routes: [...routes, { path: "/", component: Start }, { path: "/:rest(.*)", component: Start }],
});

const app = createApp(App);
installElement(app);
app.use(router).mount("#app");
