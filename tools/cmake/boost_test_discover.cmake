# boost_test_discover(<target> PREFIX <prefix>)
#
# After each link of <target>, asks the program for its tests and registers one ctest test per top-level suite, as
# <prefix>.<suite>: small enough to run in parallel and to have a time limit each, large enough that starting a process
# costs nothing beside it. The same file is the script that does so: see the end.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(boost_test_discover_script ${CMAKE_CURRENT_LIST_FILE})

  function(boost_test_discover target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "PREFIX" "")
    set(tests_file ${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake)
    add_custom_command(
      TARGET ${target}
      POST_BUILD
      BYPRODUCTS ${tests_file}
      COMMAND
        ${CMAKE_COMMAND} -D EXECUTABLE=$<TARGET_FILE:${target}> -D "EMULATOR=$<TARGET_PROPERTY:${target},CROSSCOMPILING_EMULATOR>"
        -D PREFIX=${arg_PREFIX} -D TESTS_FILE=${tests_file} -D TIMEOUT=${TSOCK_TEST_TIMEOUT}
        -D SCALE=${TSOCK_TEST_TIMEOUT_SCALE} -P ${boost_test_discover_script}
      VERBATIM)
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

# One name a line, indented by depth; a star marks what runs by default, a colon begins a description.
string(REGEX MATCHALL "(^|\n)[A-Za-z_][^\n*:]*\\*" suites "${listing}")
string(CONCAT text "# Written by boost_test_discover after each link.\n"
              "set(scale 1)\n"
              "if(\"\$ENV{TSOCK_TEST_TIMEOUT_SCALE}\" MATCHES \"^[1-9][0-9]*$\")\n"
              "  set(scale \$ENV{TSOCK_TEST_TIMEOUT_SCALE})\nendif()\n"
              "math(EXPR timeout \"${TIMEOUT} * ${SCALE} * \${scale}\")\n")
foreach(suite IN LISTS suites)
  string(REGEX REPLACE "[\n*]" "" suite "${suite}")
  string(APPEND text "add_test([==[${PREFIX}.${suite}]==] ${EMULATOR} [==[${EXECUTABLE}]==] [==[--run_test=${suite}]==] "
         "--color_output=no --report_level=no)\n"
         "set_tests_properties([==[${PREFIX}.${suite}]==] PROPERTIES TIMEOUT \${timeout} LABELS ${PREFIX})\n")
endforeach()
file(WRITE ${TESTS_FILE} "${text}")
