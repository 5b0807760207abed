# find_package(fastadam): the target fastadam::headers, for extension modules that take the C interface from the installed
# Python package when they run (fastadam.h says how). There is nothing to link.
if(NOT TARGET fastadam::headers)
  add_library(fastadam::headers INTERFACE IMPORTED)
  target_include_directories(fastadam::headers INTERFACE "${CMAKE_CURRENT_LIST_DIR}/../include")
endif()
