#include "src/app/app.h"

#include "src/app/routes.h"
#include "src/service/run.h"

namespace ringpost::app {

std::unique_ptr<service::App> users() {
  return std::make_unique<service::AppOf<Routes>>();
}

}  // namespace ringpost::app
