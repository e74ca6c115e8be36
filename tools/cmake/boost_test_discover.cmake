# boost_test_discover(<target> PREFIX <prefix> [SPLIT <suite>...] [IN_TURN <suite>...] [SKIPS <file>...])
#
# After each link of <target>, asks the program for its tests and registers one ctest test per top-level suite, as
# <prefix>.<suite>: small enough to run in parallel and to have a time limit each, large enough that starting a process
# costs nothing beside it. A suite of SPLIT, which takes long, is registered case by case, as <prefix>.<suite>.<case>.
# These start first: an entry that begins last and takes long leaves the other processors idle. The same file is the
# script that does so: see the end. Suites of IN_TURN run one after the other: they want the same of the system. Each file of SKIPS has a line
# "<prefix> <suite>/<case>" for each case that is left out, or "<prefix> <suite>" for all of it; what is not there is an error.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(boost_test_discover_script ${CMAKE_CURRENT_LIST_FILE})

  function(boost_test_discover target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "PREFIX" "SPLIT;IN_TURN;SKIPS")
    string(JOIN "|" split ${arg_SPLIT})
    string(JOIN "|" in_turn ${arg_IN_TURN})
    string(JOIN "|" skips ${arg_SKIPS})
    set(tests_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake)
    add_custom_command(
      TARGET ${target}
      POST_BUILD
      BYPRODUCTS ${tests_file}
      COMMAND
        ${CMAKE_COMMAND} -D EXECUTABLE=$<TARGET_FILE:${target}> -D "EMULATOR=$<TARGET_PROPERTY:${target},CROSSCOMPILING_EMULATOR>"
        -D PREFIX=${arg_PREFIX} -D TESTS_FILE=${tests_file} -D TIMEOUT=${TSOCK_TEST_TIMEOUT}
        -D SCALE=${TSOCK_TEST_TIMEOUT_SCALE} -D "SPLIT=${split}" -D "IN_TURN=${in_turn}" -D "SKIPS=${skips}" -P ${boost_test_discover_script}
      VERBATIM)
    if(arg_SKIPS)
      set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${arg_SKIPS})
    endif()
    # Before the first build there is nothing to include: a test that fails with the reason.
    set(include_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake)
    file(WRITE ${include_file} "if(EXISTS [==[${tests_file}]==])\n  include([==[${tests_file}]==])\n"
                               "else()\n  add_test(${arg_PREFIX}.NOT_BUILT ${target}_NOT_BUILT)\nendif()\n")
    set_property(
      DIRECTORY
      APPEND
      PROPERTY TEST_INCLUDE_FILES ${include_file})
  endfunction()

  return()
endif()

execute_process(
  COMMAND ${EMULATOR} ${EXECUTABLE} --list_content=HRF --color_output=no
  OUTPUT_VARIABLE listing
  ERROR_VARIABLE listing
  RESULT_VARIABLE result
  TIMEOUT 60)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${EXECUTABLE} --list_content: ${result}\n${listing}")
endif()

string(CONCAT text "# Written by boost_test_discover after each link.\n"
              "set(scale 1)\n"
              "if(\"\$ENV{TSOCK_TEST_TIMEOUT_SCALE}\" MATCHES \"^[1-9][0-9]*$\")\n"
              "  set(scale \$ENV{TSOCK_TEST_TIMEOUT_SCALE})\nendif()\n"
              "math(EXPR timeout \"${TIMEOUT} * ${SCALE} * \${scale}\")\n")
# add_entry(<name> <path> <cost>): the tests below that path of suites and cases. Where a function is looked up when it is first
# called, the dynamic linker saves registers on the stack, with what a copy has left in them: tests that look for secrets would find
# it there, or not, by chance.
macro(add_entry name path cost)
  string(APPEND text "add_test([==[${PREFIX}.${name}]==] ${EMULATOR} [==[${EXECUTABLE}]==] [==[--run_test=${path}]==] "
         "${skips_${path}}--color_output=no --report_level=no)\n"
         "set_tests_properties([==[${PREFIX}.${name}]==] PROPERTIES TIMEOUT \${timeout} LABELS ${PREFIX} COST ${cost}\n"
         "                     ENVIRONMENT LD_BIND_NOW=1)\n")
  if("${path}" MATCHES "^(${IN_TURN})(/|$)")
    string(APPEND text "set_tests_properties([==[${PREFIX}.${name}]==] PROPERTIES RESOURCE_LOCK ${PREFIX})\n")
  endif()
endmacro()

# One name a line, indented by depth; a star marks what runs by default, a colon begins a description.
string(REGEX MATCHALL "(^|\n)(    )?[A-Za-z_][^\n*:]*\\*" names "${listing}")
string(REPLACE "|" ";" SKIPS "${SKIPS}")
foreach(file IN LISTS SKIPS)
  file(STRINGS ${file} skips REGEX "^${PREFIX} ")
  foreach(line IN LISTS skips)
    string(REGEX MATCH "^[^ ]+ ([^/ ]+)/?([^ ]*)" skipped "${line}")
    set(suite ${CMAKE_MATCH_1})
    set(case ${CMAKE_MATCH_2})
    if(NOT case AND listing MATCHES "(^|\n)${suite}\\*")
      set(is_skipped_${suite} TRUE)
      continue()
    endif()
    if(NOT case OR NOT listing MATCHES "    ${case}\\*")
      message(FATAL_ERROR "${file}: there is no ${suite}/${case}")
    endif()
    string(APPEND skips_${suite} "[==[--run_test=!${suite}/${case}]==] ")
  endforeach()
endforeach()

set(suite "")
foreach(name IN LISTS names)
  string(REGEX REPLACE "[\n*]" "" name "${name}")
  if(name MATCHES "^    (.*)")
    set(case ${CMAKE_MATCH_1})
    if(suite MATCHES "^(${SPLIT})$" AND NOT "${skips_${suite}}" MATCHES "/${case}]==]")
      add_entry("${suite}.${case}" "${suite}/${case}" 10)
    endif()
  else()
    set(suite ${name})
    if(NOT suite MATCHES "^(${SPLIT})$" AND NOT is_skipped_${suite})
      add_entry("${suite}" "${suite}" 1)
    endif()
  endif()
endforeach()
file(WRITE ${TESTS_FILE} "${text}")
