"""What happens to the fictional brand: how much each brand is talked about, week by week."""

from collections.abc import Mapping

from diagnosis.workspaces.names import BrandNames

RUNS = 12
NAMES = (
    BrandNames("云栖壶", ("云栖",), ("yunqi.example",), is_own=True),
    BrandNames("山岚", (), ("shanlan.example",)),
    BrandNames("木石坊", (), ("mushifang.example",)),
    BrandNames("半日闲", (), ("banrixian.example",)),
    BrandNames("松间集", (), ("songjian.example",)),
    BrandNames("一盏", (), ("yizhan.example",)),
    BrandNames("Kettlewood", (), ("kettlewood.example",)),
)
NEWCOMER, NEWCOMER_FROM = "青禾器", 9  # nobody tracks it
QUESTIONS = (
    ("入门手冲咖啡壶推荐哪个牌子？", "入门"),
    ("送朋友的手冲壶套装怎么选？", "送礼"),
    ("500 元以内的手冲壶有哪些好选择？", "价格"),
    ("办公室用的手冲壶买哪个好？", "场景"),
    ("细口手冲壶哪个牌子控水稳？", "性能"),
    ("温控手冲壶有哪些值得买的品牌？", "性能"),
    ("露营用的手冲壶推荐哪款？", "场景"),
    ("手冲壶哪个牌子做工好、耐用？", "品质"),
    ("小众的手冲壶品牌有哪些？", "品质"),
    ("新手第一把手冲壶买什么？", "入门"),
)
LOST_QUESTION = 6  # the place of the one that never names the brand
PLATFORMS = ("demo-glm-search", "demo-ernie-search", "demo-claude-search", "demo-fast")
REPEATS = 2
CRITICIZING_PLATFORM = "demo-ernie-search"
CRITICISM = "售后回复慢，性价比一般"


def get_popularity(number: int, question: int) -> Mapping[str, float]:
    """Return the weights of brands in a run, from 0, and a question; brands that are not in it have 1."""
    own = NAMES[0].name
    is_last = number == RUNS - 1
    return {
        own: 0.0 if question == LOST_QUESTION else 0.35 if is_last else 4.0,
        NEWCOMER: 1.5 if number >= NEWCOMER_FROM else 0.0,
    }


def get_criticism(number: int, platform: str) -> Mapping[str, str]:
    """Return what a platform says about brands in a run instead of praise."""
    is_criticized = platform == CRITICIZING_PLATFORM and number >= RUNS - 2
    return {NAMES[0].name: CRITICISM} if is_criticized else {}
