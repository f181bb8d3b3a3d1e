"""The states of a diagnosis and of an answer, and why an answer is missing."""

from django.db.models import TextChoices


class DiagnosisStatus(TextChoices):
    """`queued asking analysing` are on the way; the rest are final."""

    QUEUED = "queued", "排队中"
    ASKING = "asking", "提问中"
    ANALYSING = "analysing", "分析中"
    COMPLETED = "completed", "已完成"
    PARTIAL = "partial", "部分完成"
    FAILED = "failed", "失败"
    TIMED_OUT = "timed_out", "超时"
    CANCELLED = "cancelled", "已取消"


UNFINISHED_STATUSES = [DiagnosisStatus.QUEUED, DiagnosisStatus.ASKING, DiagnosisStatus.ANALYSING]
FINAL_STATUSES = [
    DiagnosisStatus.COMPLETED,
    DiagnosisStatus.PARTIAL,
    DiagnosisStatus.FAILED,
    DiagnosisStatus.TIMED_OUT,
    DiagnosisStatus.CANCELLED,
]


class AnswerState(TextChoices):
    """A pending answer becomes one of the other three, once."""

    PENDING = "pending", "等待中"
    VALID = "valid", "有效"
    FAILED = "failed", "失败"
    FILTERED = "filtered", "被平台拒绝"


class FailureReason(TextChoices):
    """Why a call gave no valid answer."""

    QUOTA = "quota", "配额用尽或欠费"
    RATE = "rate", "被限速"
    FILTERED = "filtered", "内容被拒"
    KEY = "key", "密钥无效或缺失"
    MODEL = "model", "模型不存在或未开通"
    BUSY = "busy", "平台繁忙或故障"
    UNREADABLE = "unreadable", "回答无法识别"
    TIMEOUT = "timeout", "超时"
    CONNECTION = "connection", "无法连接"
    BUG = "bug", "我们的错误"
    DEADLINE = "deadline", "诊断到时未问"
    CANCELLED = "cancelled", "诊断已取消"
    OPERATOR = "operator", "运营人员暂停"
