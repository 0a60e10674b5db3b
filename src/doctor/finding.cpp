#include "src/doctor/finding.h"

namespace ringpost::doctor {

std::string to_text(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    switch (finding.verdict) {
      case Finding::Verdict::fit:
        text += "yes  ";
        break;
      case Finding::Verdict::note:
        text += "but  ";
        break;
      case Finding::Verdict::unfit:
        text += "NO   ";
        break;
    }
    text.append(finding.what).append("\n");
    if (!finding.advice.empty()) text.append("     -> ").append(finding.advice).append("\n");
  }
  return text;
}

}  // namespace ringpost::doctor
