# find_package(fastadam): the target fastadam::headers, for extension modules that take the C interface from the installed
# Python package when they run (fastadam.h says how), for which there is nothing to link; and the target fastadam::fastadam, the
# library for programs without Python, where C++, threads and, if the library uses it, OpenMP are found.
if(NOT TARGET fastadam::headers)
  add_library(fastadam::headers INTERFACE IMPORTED)
  target_include_directories(fastadam::headers INTERFACE "${CMAKE_CURRENT_LIST_DIR}/../include")
endif()

get_property(fastadam_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if(NOT TARGET fastadam::fastadam AND "CXX" IN_LIST fastadam_languages)
  include("${CMAKE_CURRENT_LIST_DIR}/fastadamLibrary.cmake" OPTIONAL)  # sets fastadam_library and fastadam_openmp
  find_package(Threads QUIET)
  if(fastadam_openmp)
    find_package(OpenMP QUIET COMPONENTS CXX)
  endif()
  if(fastadam_library AND Threads_FOUND AND (OpenMP_CXX_FOUND OR NOT fastadam_openmp))
    add_library(fastadam::fastadam STATIC IMPORTED)
    set_target_properties(fastadam::fastadam PROPERTIES
      IMPORTED_LOCATION "${fastadam_library}"
      IMPORTED_LINK_INTERFACE_LANGUAGES CXX
      INTERFACE_LINK_LIBRARIES "fastadam::headers;Threads::Threads;${CMAKE_DL_LIBS};${fastadam_openmp}")
  endif()
endif()
