// The parts of Element Plus that the pages use. Add a component here, with its styles.
import "element-plus/es/components/alert/style/css";
import "element-plus/es/components/button/style/css";
import "element-plus/es/components/checkbox/style/css";
import "element-plus/es/components/dialog/style/css";
import "element-plus/es/components/drawer/style/css";
import "element-plus/es/components/form/style/css";
import "element-plus/es/components/form-item/style/css";
import "element-plus/es/components/input/style/css";
import "element-plus/es/components/message/style/css";
import "element-plus/es/components/message-box/style/css";
import "element-plus/es/components/option/style/css";
import "element-plus/es/components/progress/style/css";
import "element-plus/es/components/select/style/css";
import "element-plus/es/components/switch/style/css";
import "element-plus/es/components/tag/style/css";
import "element-plus/theme-chalk/dark/css-vars.css";
import {
  ElAlert, ElButton, ElCheckbox, ElConfigProvider, ElDialog, ElDrawer, ElForm, ElFormItem, ElInput, ElOption, ElProgress, ElSelect, ElSwitch, ElTag,
} from "element-plus";
import type { App } from "vue";

const COMPONENTS = [
  ElAlert, ElButton, ElCheckbox, ElConfigProvider, ElDialog, ElDrawer, ElForm, ElFormItem, ElInput, ElOption, ElProgress, ElSelect, ElSwitch, ElTag,
];

export function installElement(app: App): void {
  for (const component of COMPONENTS) app.component(component.name!, component);
}
