"""The default texts of every code, Chinese first: what happened, what was kept, what to do next."""

from dataclasses import dataclass

from errors.codes import ActionKind as A
from errors.codes import ErrorCode as C


@dataclass(frozen=True)
class DefaultText:
    """title: one short line; message: what happened and what was kept; suggestion: the next step."""

    title: str
    message: str
    suggestion: str


DEFAULT_LOCALE = "zh-hans"

DEFAULT_TEXTS: dict[str, dict[C, DefaultText]] = {
    "zh-hans": {
        C.NETWORK_ERROR: DefaultText("网络连接失败", "暂时连不上服务，已有的结果都还在。", "请检查网络后重试。"),
        C.NETWORK_TIMEOUT: DefaultText("等待超时", "对方没有在规定时间内答复，已有的结果都还在。", "请稍后重试。"),
        C.AI_PLATFORM_ERROR: DefaultText(
            "AI 平台暂时不可用", "这个平台现在无法回答，其他平台不受影响。", "可以切换 AI 模型，或稍后再试。"
        ),
        C.AI_QUOTA_EXHAUSTED: DefaultText(
            "AI 配额已用尽", "这个平台的配额已经用完，其他平台的回答照常保留。", "请切换平台，运营人员会收到告警。"
        ),
        C.AI_RATE_LIMIT: DefaultText(
            "平台有点忙", "平台要求我们放慢速度，几次重试后仍没有答复。", "稍后可以只重试未答复的部分。"
        ),
        C.DIAGNOSIS_TIMEOUT: DefaultText(
            "诊断超时", "这次诊断超过了时间上限，已得到的回答都已保存。", "可在历史记录中查看，或只重试未完成的部分。"
        ),
        C.DIAGNOSIS_FAILED: DefaultText(
            "诊断失败", "这次没有得到可用的回答，您填写的内容都已保存。", "可以查看部分结果和原因，再重试。"
        ),
        C.DIAGNOSIS_PARTIAL_SUCCESS: DefaultText(
            "诊断已完成，部分平台未答复",
            "报告按已得到的回答计算，未答复的已单独列出。",
            "可以直接查看报告，或只重试未答复的部分。",
        ),
        C.DATA_NOT_FOUND: DefaultText(
            "没有找到", "这条内容不存在，或不属于当前账号。", "请返回首页，从历史记录中打开。"
        ),
        C.DATA_FORMAT_ERROR: DefaultText("内容无法识别", "提交的内容格式有误，未作任何改动。", "请刷新页面后重试。"),
        C.UNAUTHORIZED: DefaultText("请先登录", "登录状态已失效，您的诊断仍在后台进行。", "重新登录后即可继续查看。"),
        C.FORBIDDEN: DefaultText("没有权限", "当前账号不能进行这项操作。", "如有需要，请联系管理员。"),
        C.SERVER_ERROR: DefaultText("系统开小差了", "是我们的问题，已经记录下来，您的内容都还在。", "请稍后重试。"),
        C.SERVICE_UNAVAILABLE: DefaultText("服务维护中", "服务暂时不可用，已提交的诊断不会丢失。", "请稍等片刻再试。"),
        C.UNKNOWN_ERROR: DefaultText("出了点问题", "发生了预料之外的情况。", "请重试；如果反复出现，请联系客服。"),
        C.CONTENT_FILTERED: DefaultText(
            "平台拒绝回答", "平台以内容规范为由没有回答这个问题，不计入统计。", "可以换一种问法再试。"
        ),
        C.RATE_LIMITED: DefaultText(
            "操作太频繁", "短时间内的请求有点多，已有的结果不受影响。", "请在 {seconds} 秒后再试。"
        ),
        C.INVALID_INPUT: DefaultText(
            "请检查填写的内容", "有内容不符合要求，其余内容都已保留。", "请按提示修改后再提交。"
        ),
        C.CONFLICT: DefaultText("内容有冲突", "这次请求与已有的记录不一致，未作任何改动。", "请刷新后再试。"),
        C.DIAGNOSIS_CANCELLED: DefaultText("诊断已取消", "已得到的回答都已保存。", "可以查看部分结果，或重新发起。"),
        C.DIAGNOSIS_RUNNING: DefaultText("诊断进行中", "报告会在诊断结束后生成。", "请稍等，进度会自动更新。"),
        C.QUEUE_FULL: DefaultText(
            "排队的诊断太多", "现在排队的人很多，这次还没有开始，您填写的内容都已保留。", "请在 {seconds} 秒后再试。"
        ),
        C.TOO_MANY_UNFINISHED: DefaultText(
            "进行中的诊断已到上限",
            "等您的一个诊断结束后才能开始新的，您填写的内容都已保留。",
            "可以在历史记录中查看或取消进行中的诊断。",
        ),
        C.BUDGET_EXHAUSTED: DefaultText(
            "预算不足",
            "本月剩余的预算不够支付这次调用，没有多花一分钱，已有的结果和填写的内容都已保留。",
            "可以换用其他平台、减少问题，或请运营人员提高预算。",
        ),
        C.CONTENT_REJECTED: DefaultText(
            "内容未通过检查",
            "有文字没有通过内容安全检查，没有提交，您填写的内容都已保留。",
            "请修改标出的文字后再提交。",
        ),
        C.CONTENT_CHECK_UNAVAILABLE: DefaultText(
            "暂时无法检查内容",
            "内容安全检查暂时没有答复，这次还没有提交，您填写的内容都已保留。",
            "请在 {seconds} 秒后再试。",
        ),
        C.CONSENT_REQUIRED: DefaultText(
            "请先同意协议",
            "开始前需要您同意用户协议和隐私政策，您填写的内容都已保留。",
            "请阅读后勾选同意，再提交。",
        ),
    },
    "en": {
        C.NETWORK_ERROR: DefaultText(
            "Connection failed",
            "We can't be reached right now. What you have is kept.",
            "Check your network and try again.",
        ),
        C.NETWORK_TIMEOUT: DefaultText(
            "That took too long", "No answer came in time. What you have is kept.", "Please try again shortly."
        ),
        C.AI_PLATFORM_ERROR: DefaultText(
            "AI platform unavailable",
            "This platform can't answer now. The others are not affected.",
            "Pick another AI model, or try again later.",
        ),
        C.AI_QUOTA_EXHAUSTED: DefaultText(
            "AI quota used up",
            "This platform's quota is used up. Answers of the others are kept.",
            "Pick another platform. Our operators are alerted.",
        ),
        C.AI_RATE_LIMIT: DefaultText(
            "The platform is busy",
            "It asks us to slow down, and no retry got through.",
            "Retry only what is missing later.",
        ),
        C.DIAGNOSIS_TIMEOUT: DefaultText(
            "Diagnosis timed out",
            "It ran past its time limit. The answers so far are kept.",
            "See it in the history, or retry only what is missing.",
        ),
        C.DIAGNOSIS_FAILED: DefaultText(
            "Diagnosis failed",
            "There was no usable answer. What you entered is kept.",
            "See the partial results and the reasons, then retry.",
        ),
        C.DIAGNOSIS_PARTIAL_SUCCESS: DefaultText(
            "Done, some platforms did not answer",
            "The report uses the answers we got and lists the rest.",
            "Open the report, or retry only what is missing.",
        ),
        C.DATA_NOT_FOUND: DefaultText(
            "Not found", "This does not exist, or belongs to another account.", "Go home and open it from the history."
        ),
        C.DATA_FORMAT_ERROR: DefaultText(
            "Not readable",
            "The request was malformed. Nothing was changed.",
            "Refresh the page and try again.",
        ),
        C.UNAUTHORIZED: DefaultText(
            "Please sign in", "Your sign-in has expired. Your diagnosis goes on.", "Sign in again to keep watching."
        ),
        C.FORBIDDEN: DefaultText("Not allowed", "This account can't do that.", "Ask an administrator if you need it."),
        C.SERVER_ERROR: DefaultText(
            "Something broke on our side", "It has been recorded. What you have is kept.", "Please try again shortly."
        ),
        C.SERVICE_UNAVAILABLE: DefaultText(
            "Down for maintenance",
            "The service is away for a moment. Accepted diagnoses are safe.",
            "Please try again in a little while.",
        ),
        C.UNKNOWN_ERROR: DefaultText(
            "Something went wrong",
            "Something unexpected happened.",
            "Try again. If it keeps happening, contact support.",
        ),
        C.CONTENT_FILTERED: DefaultText(
            "The platform declined",
            "It refused this question on content grounds. It is not counted.",
            "Try asking in another way.",
        ),
        C.RATE_LIMITED: DefaultText(
            "Too many requests",
            "That was a lot in a short time. What you have is kept.",
            "Please try again in {seconds} seconds.",
        ),
        C.INVALID_INPUT: DefaultText(
            "Please check what you entered",
            "Something does not fit. Everything else is kept.",
            "Change what is marked and submit again.",
        ),
        C.CONFLICT: DefaultText(
            "That conflicts", "The request contradicts what is stored. Nothing was changed.", "Refresh and try again."
        ),
        C.DIAGNOSIS_CANCELLED: DefaultText(
            "Diagnosis cancelled", "The answers so far are kept.", "See the partial results, or start again."
        ),
        C.DIAGNOSIS_RUNNING: DefaultText(
            "Diagnosis running",
            "The report is made when the diagnosis ends.",
            "Just a moment, progress updates by itself.",
        ),
        C.QUEUE_FULL: DefaultText(
            "The queue is full",
            "Many diagnoses are waiting. This one has not been started; what you entered is kept.",
            "Please try again in {seconds} seconds.",
        ),
        C.TOO_MANY_UNFINISHED: DefaultText(
            "Too many diagnoses at once",
            "A new one can start when one of yours has ended. What you entered is kept.",
            "See those that run in the history, or cancel one there.",
        ),
        C.BUDGET_EXHAUSTED: DefaultText(
            "Not enough budget",
            "What is left of this month's budget does not cover the cost. Nothing more was spent; your results and input are kept.",
            "Choose other platforms or fewer questions, or ask the operators for a higher budget.",
        ),
        C.CONTENT_REJECTED: DefaultText(
            "This text can't be used",
            "Something did not pass the content check. Nothing was submitted; what you entered is kept.",
            "Change what is marked and submit again.",
        ),
        C.CONTENT_CHECK_UNAVAILABLE: DefaultText(
            "The content can't be checked now",
            "The content check gave no answer. Nothing was submitted; what you entered is kept.",
            "Please try again in {seconds} seconds.",
        ),
        C.CONSENT_REQUIRED: DefaultText(
            "Please agree first",
            "Your consent to the user agreement and the privacy policy is needed. What you entered is kept.",
            "Read them, tick the box and submit again.",
        ),
    },
}

# Button labels by action; a code with a more specific label has its own.
ACTION_LABELS: dict[str, dict[A | C, str]] = {
    "zh-hans": {
        A.RETRY: "重试",
        A.SWITCH_PLATFORM: "切换平台",
        A.OPEN_HISTORY: "查看历史记录",
        A.OPEN_REPORT: "查看报告",
        A.SIGN_IN: "重新登录",
        A.GO_HOME: "返回首页",
        A.DISMISS: "知道了",
        C.AI_PLATFORM_ERROR: "切换 AI 模型",
        C.DIAGNOSIS_FAILED: "查看部分结果",
        C.DIAGNOSIS_CANCELLED: "查看部分结果",
        C.DATA_FORMAT_ERROR: "刷新",
    },
    "en": {
        A.RETRY: "Retry",
        A.SWITCH_PLATFORM: "Switch platform",
        A.OPEN_HISTORY: "Open history",
        A.OPEN_REPORT: "Open report",
        A.SIGN_IN: "Sign in",
        A.GO_HOME: "Go home",
        A.DISMISS: "OK",
        C.AI_PLATFORM_ERROR: "Switch model",
        C.DIAGNOSIS_FAILED: "Partial results",
        C.DIAGNOSIS_CANCELLED: "Partial results",
        C.DATA_FORMAT_ERROR: "Refresh",
    },
}
