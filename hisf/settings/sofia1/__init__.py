"""Parameter files of SoFiA 1, translated to the parameters of hisf (spec sofia1)."""

from hisf.settings.sofia1.page import as_sofia1_page
from hisf.settings.sofia1.table import OLD_PARAMETERS, is_sofia1_key
from hisf.settings.sofia1.translation import Translation, translate

__all__ = ["OLD_PARAMETERS", "Translation", "as_sofia1_page", "is_sofia1_key", "translate"]
