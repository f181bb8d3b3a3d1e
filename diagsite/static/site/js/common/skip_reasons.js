// Why a run of a schedule was left out.

import { _ } from "./config.js";

const REASONS = {
  budget_calls: _("本月的调用次数预算不够了。"),
  budget_money: _("本月的费用预算不够了。"),
  platforms: _("有平台已停用。"),
};

export const skipWords = (reason) => REASONS[reason] || _("未能发起。");
