import { createApp } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import App from "./App.vue";
import { installElement } from "./element";
import { ROUTES } from "./menu";
import "./style.css";

const NONE = { path: "/:rest(.*)*", component: { render: () => null } }; // App.vue leads on from there
const router = createRouter({ history: createWebHistory("/console/"), routes: [...ROUTES, NONE] });

const app = createApp(App);
installElement(app);
app.use(router).mount("#app");
