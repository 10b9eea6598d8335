// The parts of Element Plus that the pages use. A new one is added to both lists: its styles, and the component.
import {
  ElAlert, ElButton, ElCheckbox, ElConfigProvider, ElDialog, ElDrawer, ElForm, ElFormItem, ElInput, ElOption, ElProgress, ElSelect, ElSwitch, ElTag,
} from "element-plus";
import "element-plus/theme-chalk/dark/css-vars.css";
import type { App } from "vue";

import.meta.glob(
  "../node_modules/element-plus/es/components/{alert,button,checkbox,dialog,drawer,form,form-item,input,message,message-box,option,progress,select,switch,tag}/style/css.mjs",
  { eager: true },
);

export function installElement(app: App): void {
  for (const component of [ElAlert, ElButton, ElCheckbox, ElConfigProvider, ElDialog, ElDrawer, ElForm, ElFormItem, ElInput, ElOption, ElProgress, ElSelect, ElSwitch, ElTag]) {
    app.component(component.name!, component);
  }
}
