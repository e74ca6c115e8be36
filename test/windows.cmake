# leave_out_other_system(<list>): removes the files that are for another kind of system from a list of tests.

# The unit tests that Windows has. The others are not tried there; many need unix sockets, descriptors or child processes.
set(windows_unit_tests uv_call windows_errno)
# Of the contract: files of POSIX, and a loop that is held up by calls of its own.
set(posix_contract_tests file late_deadline)

function(leave_out_other_system list)
  set(found ${${list}})
  if(WIN32)
    list(JOIN windows_unit_tests "|" unit)
    list(JOIN posix_contract_tests "|" contract)
    list(FILTER found EXCLUDE REGEX "/posix_[^/]*$")
    list(FILTER found EXCLUDE REGEX "(^|/)contract/(${contract})_test\\.cpp$")
    list(FILTER found EXCLUDE REGEX "(^|/)integration/")
    set(others ${found})
    list(FILTER others INCLUDE REGEX "(^|/)unit/")
    list(FILTER others EXCLUDE REGEX "/(${unit})_test\\.cpp$")
    if(others)
      list(REMOVE_ITEM found ${others})
    endif()
  else()
    list(FILTER found EXCLUDE REGEX "/windows_[^/]*$")
  endif()
  set(${list} ${found} PARENT_SCOPE)
endfunction()
