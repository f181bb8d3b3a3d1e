"""Statuses of a diagnosis, states of an answer, and reasons of failed calls.

The labels are declared only here: `tools/generate_labels.py` writes them to the mini-program and the web page.
"""

from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ClientKind(StrEnum):
    """Where an account uses the site. Each kind has its own rules about the platforms that may be offered."""

    WEB = "web"
    MINIPROGRAM = "miniprogram"


class DiagnosisStatus(TextChoices):
    """Status of a diagnosis: the first three are unfinished, the others final."""

    QUEUED = "queued", _("排队中")
    ASKING = "asking", _("询问中")
    ANALYSING = "analysing", _("分析中")
    COMPLETED = "completed", _("已完成")
    PARTIAL = "partial", _("部分完成")
    FAILED = "failed", _("失败")
    TIMED_OUT = "timed_out", _("已超时")
    CANCELLED = "cancelled", _("已取消")


UNFINISHED_STATUSES = [DiagnosisStatus.QUEUED, DiagnosisStatus.ASKING, DiagnosisStatus.ANALYSING]
FINAL_STATUSES = [
    DiagnosisStatus.COMPLETED,
    DiagnosisStatus.PARTIAL,
    DiagnosisStatus.FAILED,
    DiagnosisStatus.TIMED_OUT,
    DiagnosisStatus.CANCELLED,
]


class AnswerState(TextChoices):
    """State of an answer: `pending`, then one of the others for good."""

    PENDING = "pending", _("等待回答")
    VALID = "valid", _("有效")
    FAILED = "failed", _("失败")
    FILTERED = "filtered", _("被过滤")


class FailureReason(TextChoices):
    """Reason why a call gave no valid answer."""

    QUOTA = "quota", _("配额用尽或欠费")
    RATE = "rate", _("被限速")
    FILTERED = "filtered", _("内容被过滤")
    KEY = "key", _("密钥无效或缺失")
    MODEL = "model", _("模型不存在或未开通")
    BUSY = "busy", _("平台繁忙或故障")
    UNREADABLE = "unreadable", _("回答无法识别")
    TIMEOUT = "timeout", _("超时")
    CONNECTION = "connection", _("无法连接")
    CONFIG = "config", _("平台设置有误")
    UNFINISHED = "unfinished", _("没有答完：长度或步数已用尽")
    BUG = "bug", _("内部错误")
    DEADLINE = "deadline", _("诊断超时前未询问")
    CANCELLED = "cancelled", _("诊断已取消")
    OPERATOR = "operator", _("运营人员暂停")
    BUDGET = "budget", _("预算已用完")


class CallPurpose(TextChoices):
    """What a paid call is made for."""

    ANSWER = "answer", _("回答")
    JUDGE = "judge", _("情感判断")
    PROBE = "probe", _("恢复检查")
    PREFLIGHT = "preflight", _("上线检查")
    TEST = "test", _("平台测试")
    SUGGESTION = "suggestion", _("问题建议")


class BudgetScope(TextChoices):
    """Whose budget it is. The judge's is a number of calls for each diagnosis, the others are monthly."""

    PLATFORM = "platform", _("平台")
    ACCOUNT = "account", _("账号")
    SCHEDULE = "schedule", _("定期诊断")
    WORKSPACE = "workspace", _("工作区")
    JUDGE = "judge", _("情感判断")


class WireProtocol(TextChoices):
    """The protocol of a platform, with the dialect of its vendor; diagnosis/platforms/protocols has one class each."""

    CHAT = "chat", _("Chat Completions（通用，不联网）")
    ZHIPU = "zhipu", _("智谱 Chat Completions")
    QIANFAN = "qianfan", _("文心（千帆）Chat Completions")
    KIMI = "kimi", _("Kimi Chat Completions")
    RESPONSES = "responses", _("OpenAI Responses")
    ARK = "ark", _("豆包（方舟）Responses")
    TOKENHUB = "tokenhub", _("腾讯混元（TokenHub）Responses")
    PERPLEXITY = "perplexity", _("Perplexity Agent API")
    MESSAGES = "messages", _("Claude Messages")
    DEEPSEEK = "deepseek", _("DeepSeek Messages")
    DASHSCOPE = "dashscope", _("通义千问 DashScope")
    DASHSCOPE_MULTIMODAL = "dashscope_multimodal", _("通义千问 DashScope（多模态模型）")
    GEMINI = "gemini", _("Gemini generateContent")


class PlatformSurface(TextChoices):
    """What is measured at a platform. Figures of different surfaces are never pooled."""

    MEMORY = "memory", _("模型记忆（不联网）")
    SEARCH = "search", _("联网搜索")
    APP = "app", _("应用内搜索")


class Thinking(TextChoices):
    """How much the model reasons before it answers."""

    DEFAULT = "", _("平台默认")
    OFF = "off", _("不思考")
    ON = "on", _("思考")
    LOW = "low", _("低")
    MEDIUM = "medium", _("中")
    HIGH = "high", _("高")


class Ternary(TextChoices):
    """A fact that a platform may leave open: unknown is neither yes nor no."""

    YES = "yes", _("是")
    NO = "no", _("否")
    UNKNOWN = "unknown", _("未知")


class SiteKind(TextChoices):
    """What kind of site a host is. The first two depend on the diagnosis, the others are rows of `SiteClass`."""

    OWN = "own", _("自有网站")
    COMPETITOR = "competitor", _("竞品网站")
    MEDIA = "media", _("媒体")
    COMMUNITY = "community", _("社区")
    SHOP = "shop", _("电商")
    REFERENCE = "reference", _("百科与机构")


class SourceOrigin(TextChoices):
    """Where in a reply a source stands."""

    RESULT = "result", _("搜索结果")
    CITATION = "citation", _("引用标注")
    OPENED = "opened", _("打开的网页")
    SELF_REPORTED = "self_reported", _("回答自述")


class WorkspaceRole(TextChoices):
    """What a member may do: a viewer reads, an editor also orders and corrects, an owner also manages members."""

    VIEWER = "viewer", _("查看者")
    EDITOR = "editor", _("编辑者")
    OWNER = "owner", _("所有者")

    def list_sufficient(self) -> "list[WorkspaceRole]":
        """Return the roles that include this one."""
        roles = list(WorkspaceRole)
        return roles[roles.index(self) :]
