# One target per room. A room sees its own headers and those of the rooms it USES (and theirs), nothing else: its
# include folder holds one link, named like the room, so that "dist/comm.h" is found only by who may use dist.

set(BT_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef)

function(bt_common target)
  target_compile_definitions(${target} PRIVATE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE ${BT_WARNINGS} $<$<BOOL:${BRAINTUNE_WERROR}>:-Werror>
    $<$<CONFIG:Release>:-O3> -fno-math-errno -fno-omit-frame-pointer)
  if(BRAINTUNE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${BRAINTUNE_SANITIZE} -fno-sanitize-recover=undefined)
    target_link_options(${target} PUBLIC -fsanitize=${BRAINTUNE_SANITIZE})
  endif()
endfunction()

# What every program has. Under a sanitizer Open MPI's plugins stay loaded until the end, so that a leak report can name
# them and tests/lsan.supp can tell them from ours.
function(bt_program target)
  bt_common(${target})
  if(BRAINTUNE_SANITIZE)
    target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests/keep_plugins.c)
    target_link_options(${target} PRIVATE -Wl,--export-dynamic-symbol=dlclose)
  endif()
endfunction()

# bt_room(name USES room... LIBRARIES target... PUBLIC_LIBRARIES target...): every .c file of src/NAME and below.
function(bt_room name)
  cmake_parse_arguments(ROOM "" "" "USES;LIBRARIES;PUBLIC_LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
  set(door ${CMAKE_BINARY_DIR}/doors/${name})
  file(MAKE_DIRECTORY ${door})
  if(NOT EXISTS ${door}/${name})
    file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${name} ${door}/${name} SYMBOLIC)
  endif()
  if(sources)
    add_library(bt_${name} STATIC ${sources})
    set(scope PUBLIC)
    bt_common(bt_${name})
    target_link_libraries(bt_${name} PRIVATE ${ROOM_LIBRARIES})
  else()
    add_library(bt_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(bt_${name} ${scope} ${door})
  target_link_libraries(bt_${name} ${scope} ${ROOM_PUBLIC_LIBRARIES})
  foreach(used IN LISTS ROOM_USES)
    target_link_libraries(bt_${name} ${scope} bt_${used})
  endforeach()
endfunction()
