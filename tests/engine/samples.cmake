# Images that other programs made, unpacked into the build.
set(samples_dir "${CMAKE_CURRENT_BINARY_DIR}/samples")
file(MAKE_DIRECTORY "${samples_dir}")
set(samples)
foreach(name fixed dyn diff ext2 fat-differential)
	set(packed "${PROJECT_SOURCE_DIR}/tests/data/${name}.vhd.gz")
	add_custom_command(
		OUTPUT "${samples_dir}/${name}.vhd"
		COMMAND gzip -dc "${packed}" > "${samples_dir}/${name}.vhd"
		DEPENDS "${packed}"
		VERBATIM)
	list(APPEND samples "${samples_dir}/${name}.vhd")
endforeach()
add_custom_target(engine_sample_images DEPENDS ${samples})

engine_test(samples)
add_dependencies(engine_samples engine_sample_images)
target_compile_definitions(engine_samples PRIVATE SAMPLES="${samples_dir}")
