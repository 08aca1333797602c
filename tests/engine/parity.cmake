# One case for each behaviour of the reference library: kept, or made better.
foreach(part open create access)
	engine_test(parity_${part} SOURCES parity_kit.c)
	target_compile_definitions(engine_parity_${part} PRIVATE WORK_DIR="${CMAKE_CURRENT_BINARY_DIR}")
endforeach()

engine_test(paths SOURCES parity_kit.c LIBRARIES test_alloc_fault)
target_compile_definitions(engine_paths PRIVATE WORK_DIR="${CMAKE_CURRENT_BINARY_DIR}")
engine_test(layout)
engine_test(frozen SOURCES parity_kit.c LABELS tsan)
target_compile_definitions(engine_frozen PRIVATE WORK_DIR="${CMAKE_CURRENT_BINARY_DIR}")
