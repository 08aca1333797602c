# Unit tests see the inside of the engine.
foreach(name bytes cells error footer header locator unit utf)
	vhd_unit_test(test_engine_${name} test_engine_${name}.c LIBS vhd)
	target_include_directories(test_engine_${name} PRIVATE "${PROJECT_SOURCE_DIR}/engine")
endforeach()
