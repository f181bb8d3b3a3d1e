// The sentences about a diagnosis and its report, shared with the mini-program.

import { i18n } from "../common/config.js";
import * as format from "../common/format.js";

export const { coverage, retryExplanation, timeLeft, updateEnd, connectionStatus, sentimentLabels } = window.diag.createDiagnosisText(i18n, format);
