# bash completion of tsock-cat. The options are those that the program itself names.
_tsock_cat() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case $before in
    --tls-verify)
      COMPREPLY=($(compgen -W 'no_check ca_only ca_and_name_if_available ca_and_name as_strict_as_possible' -- "$word"))
      return ;;
    --tls-client-auth) COMPREPLY=($(compgen -W 'none request require' -- "$word")); return ;;
    --tls-min | --tls-max) COMPREPLY=($(compgen -W '1.2 1.3' -- "$word")); return ;;
    --pdu) COMPREPLY=($(compgen -W 'u8 u16be u16le u32be u32le line crlf' -- "$word")); return ;;
    --unlink) COMPREPLY=($(compgen -W 'fail probe force' -- "$word")); return ;;
    --npa-mode) COMPREPLY=($(compgen -W 'message byte' -- "$word")); return ;;
    --npa-level) COMPREPLY=($(compgen -W '7 8 any' -- "$word")); return ;;
    --gssapi-frame) COMPREPLY=($(compgen -W 'length mit postgresql' -- "$word")); return ;;
    --group) COMPREPLY=($(compgen -g -- "$word")); return ;;
    --tls-ca-dir) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --dump | --tls-*file | --tls-ca | --tls-crl | --tls-cert | --tls-key | --tls-pkcs12 | --tls-keylog | \
      --gssapi-keytab | --sasl-password-file | --sasl-db | --sasl-users | --*-file)
      COMPREPLY=($(compgen -f -- "$word"))
      return ;;
  esac
  if [[ $word == -* ]]; then
    local options
    options=$("${COMP_WORDS[0]}" --help 2> /dev/null | grep -oE '^  -[^ ]+' | tr ',' '\n' | sed 's/[[{].*//')
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  elif [[ $word == /* || $word == .* ]]; then
    COMPREPLY=($(compgen -f -- "$word"))
  else
    COMPREPLY=($(compgen -A hostname -W 'tcp:// tcp-listen:// tls:// tls-listen:// udp:// udp-listen:// unix: unix-listen:
      unix-dgram: unix-dgram-listen: unix-abstract: unix-abstract-listen: pipe: pipe-listen: npa:// npa-listen:// fd: file:
      exec: echo: discard: zero:' \
      -- "$word"))
    compopt -o nospace 2> /dev/null
    if declare -F __ltrim_colon_completions > /dev/null; then __ltrim_colon_completions "$word"; fi
  fi
}
complete -F _tsock_cat tsock-cat
