// ringpost: the users API as a process.
#include "src/app/app.h"
#include "src/service/process.h"

int main(int argc, char** argv) {
  return ringpost::service::run(*ringpost::app::users(), argc, argv);
}
