SELECT arg_set_id, key, int_value, string_value, real_value
FROM args
WHERE arg_set_id IN ({arg_sets}) AND key GLOB 'debug.*'
