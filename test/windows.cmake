# leave_out_other_system(<list>): removes the files that are for another kind of system from a list of tests.

# The unit tests that Windows has. The others are not tried there; many need unix sockets, descriptors or child processes.
set(windows_unit_tests
    address authenticate buffer byte_view call_site callback_times combine coroutine datagram_short_way deadline dump_json error
    framing inline_function inspect lifecycle listen_over loop memory_datagram operation operation_then output owned_bytes pdu pool post
    proxy_accept proxy_connect proxy_header pump queue rate_limit receive_buffer record_engine refused_certificates short_way tls_error_code
    tls_output uv_call vector_list windows_errno windows_gssapi windows_loop
    windows_named_pipe)
# Of the contract: files of POSIX, and a loop that is held up by calls of its own. GSSAPI there needs a KDC and, under Wine, what
# windows_gssapi_test.cpp puts below SSPI.
set(posix_contract_tests file late_deadline)

function(leave_out_other_system list)
  set(found ${${list}})
  if(WIN32)
    list(JOIN windows_unit_tests "|" unit)
    list(JOIN posix_contract_tests "|" contract)
    list(FILTER found EXCLUDE REGEX "/posix_[^/]*$")
    list(FILTER found EXCLUDE REGEX "(^|/)contract/((${contract})_test|gssapi_backends)\\.cpp$")
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
